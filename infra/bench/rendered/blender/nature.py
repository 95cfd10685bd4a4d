"""Fields, woods, snow: see `scenes.py`."""

from __future__ import annotations

import math
import random

from figures import animal, person
from materials import cloth, green, stone, surface
from primitives import animate, ball, box, cylinder
from scenery import grass, ground, leaves, tree
from studio import FRAMES, Scene, daylight, film, shake


def fence() -> Scene:
    """A dolly past close fence posts; an animal walks in the meadow behind them."""
    daylight(42, -60)
    ground(
        surface([(0.05, 0.1, 0.02), (0.14, 0.2, 0.05), (0.25, 0.22, 0.1)], scale=2), bumps=4, seed=2
    )
    grass(26000, (-7, 7), (-1.5, 9), 0.22, green((0.04, 0.1, 0.01), (0.3, 0.4, 0.1)), 1)
    rng = random.Random(4)
    for k in range(11):
        tree((rng.uniform(-14, 14), rng.uniform(11, 20), 0), rng.uniform(4, 8), green(), k, 0.12)
    wood = surface(
        [(0.12, 0.07, 0.04), (0.35, 0.25, 0.17), (0.2, 0.14, 0.09)],
        pattern="stripes",
        scale=3,
        stretch=(4, 4, 0.7),
    )
    for k in range(13):
        post = box(
            (-3.1 + 0.52 * k, -2.6, 0.65),
            (0.09, 0.07, 1.3 + rng.uniform(-0.1, 0.1)),
            wood,
            bevel=0.01,
        )
        post.rotation_euler = (0, rng.uniform(-0.05, 0.05), 0)
    for z in (0.45, 1.05):
        box((0, -2.55, z), (6.6, 0.035, 0.1), wood)
    deer = animal(
        FRAMES,
        (-1.5, 2.6, 0),
        (0.045, 0.0, 0),
        surface([(0.3, 0.16, 0.07), (0.5, 0.3, 0.14), (0.7, 0.55, 0.4)], scale=6),
        size=1.5,
    )
    film(lambda t: ((-0.9 + 1.8 * t, -4.2, 1.25), (-0.5 + 1.2 * t, 4, 0.9), 38))
    return Scene(deer, samples=6)


def snow() -> Scene:
    """Overexposed snow under a low sun; somebody with a long shadow, filmed by a tilting camera."""
    daylight(17, -48, sun=1.0, sky=0.4)
    ground(
        surface([(0.72, 0.75, 0.8), (0.88, 0.9, 0.92)], scale=0.8, bump=0.9, dirt=0.12),
        bumps=5,
        seed=6,
    )
    rng = random.Random(9)
    needles = green((0.01, 0.03, 0.02), (0.06, 0.12, 0.06))
    for _ in range(12):
        x, y, h = rng.uniform(-11, 11), rng.uniform(7, 16), rng.uniform(3, 6)
        for s in range(4):
            cylinder(
                (x, y, h * (0.25 + 0.2 * s)), h * (0.24 - 0.05 * s), h * 0.32, needles, top=0.02
            )
    stones = stone()
    for _ in range(9):
        size = rng.uniform(0.15, 0.5)
        ball(
            (rng.uniform(-5, 5), rng.uniform(1.5, 6), 0.1),
            (size, size, 0.7 * size),
            stones,
            rough=0.15,
        )
    for k in range(14):
        box(
            (-6.5 + k, 5.2, 0.45),
            (0.08, 0.08, 0.9),
            surface([(0.2, 0.12, 0.07), (0.4, 0.28, 0.18)], scale=8),
        )
    walker = person(
        FRAMES,
        (2.4, 1.9, 0),
        (-0.1, 0.012, 0),
        cloth((0.05, 0.15, 0.5), (0.7, 0.1, 0.1), 5),
        cloth((0.03,) * 3, (0.12,) * 3),
        phase=1.5,
    )
    ball(
        (-0.22, 0, 1.3),
        (0.14, 0.17, 0.26),
        surface([(0.6, 0.35, 0.05), (0.3, 0.2, 0.1)], pattern="checks", scale=9),
        walker,
    )
    film(lambda t: ((0, -5, 1.6), (0.35 - 0.7 * t, 3, 1.7 - 0.9 * t), 33))
    return Scene(walker, samples=6)


def forest() -> Scene:
    """A hand-held walk among trunks and leaves; somebody walks before them."""
    daylight(48, 25, sun=0.8, sky=0.35)
    ground(
        surface([(0.05, 0.03, 0.015), (0.2, 0.12, 0.05), (0.12, 0.16, 0.04)], scale=5, bump=0.8),
        bumps=3,
        seed=3,
    )
    rng = random.Random(12)
    leaf = green()
    for k in range(16):
        x, y = rng.uniform(-8, 8), rng.uniform(3.2, 15)
        tree((x, y, -0.1), rng.uniform(5, 8), leaf, k, 0.1)
    for k, (x, y) in enumerate(((-1.9, -1.2), (1.7, -0.4), (2.9, 1.2), (-3.1, 1.8))):
        bush = leaves(
            420, (0.65, 0.5, 0.5), 0.06, green((0.03, 0.09, 0.02), (0.3, 0.4, 0.08)), 40 + k
        )
        bush.location = (x, y, 0.4)
    grass(5000, (-6, 6), (-1, 8), 0.2, green((0.05, 0.1, 0.02), (0.25, 0.3, 0.1)), 3)
    walker = person(
        FRAMES,
        (-1.6, 2.0, 0),
        (0.085, -0.01, 0),
        cloth((0.6, 0.3, 0.05), (0.8, 0.75, 0.6)),
        cloth((0.1, 0.12, 0.2), (0.2, 0.22, 0.3)),
        phase=0.4,
    )

    def pose(t: float) -> tuple:
        dx, dy, dz = shake(t, 0.16, 1.0)
        return (
            (-0.4 + 0.5 * t + 0.4 * dx, -4.5 + 0.6 * t, 1.5 + 0.4 * dz),
            (0.1 + dx, 2.5, 1.15 + dz),
            32,
            0.1 * dy,
        )

    film(pose)
    return Scene(walker, samples=6)


def meadow() -> Scene:
    """A zoom into high grass; a cow walks, and another stands in front of its way."""
    daylight(40, -25)
    ground(
        surface([(0.06, 0.1, 0.02), (0.16, 0.22, 0.05), (0.3, 0.28, 0.12)], scale=1.5),
        bumps=4,
        seed=8,
    )
    grass(32000, (-6, 6), (-3, 9), 0.3, green((0.05, 0.12, 0.01), (0.4, 0.45, 0.12)), 5)
    rng = random.Random(2)
    for k in range(9):
        tree((rng.uniform(-13, 13), rng.uniform(10, 18), 0), rng.uniform(4, 7), green(), k, 0.13)
    hide = surface(
        [(0.8, 0.76, 0.7), (0.8, 0.76, 0.7), (0.06, 0.04, 0.03), (0.06, 0.04, 0.03)],
        scale=2.0,
        bump=0.1,
    )
    brown = surface([(0.2, 0.08, 0.03), (0.4, 0.2, 0.1)], scale=5)
    standing = animal(FRAMES, (0.9, 1.0, 0), (0, 0, 0), brown, size=1.15)
    standing.rotation_euler = (0, 0, 0.4)
    animate(standing, lambda t: {"rotation_euler": (0, 0, 0.4 + 0.06 * math.sin(0.5 * t))}, FRAMES)
    cow = animal(FRAMES, (-1.5, 2.6, 0), (0.075, 0, 0), hide, size=1.5)
    film(lambda t: ((0, -6, 1.8), (0.1, 2, 0.95), 36 + 14 * t))
    return Scene(cow, [standing], samples=6)
