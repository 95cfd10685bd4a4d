"""Streets and squares: see `scenes.py`."""

from __future__ import annotations

import math

from figures import animal, car, person
from materials import asphalt, brick, cloth, glow, green, paint, paving, stone, surface
from primitives import ball, box, cylinder
from scenery import ground, house, tree
from studio import FRAMES, Scene, daylight, film, lamp, shake

UP = math.pi / 2


def square() -> Scene:
    """The camera stands; somebody close walks slowly past, others walk behind."""
    daylight(38, -35)
    ground(paving())
    house((-14, -1), 9, 3, brick(), stone(), seed=1)
    house(
        (-1, 13),
        9.5,
        3,
        surface([(0.5, 0.38, 0.2), (0.62, 0.5, 0.3)], scale=2, bump=0.2),
        stone(),
        seed=2,
    )
    for k, x in enumerate((-6.0, 4.5)):
        tree((x, 5.5, 0), 5.0, green(), k)
    others = [
        person(
            FRAMES,
            (3.4, 2.0, 0),
            (-0.075, 0, 0),
            cloth((0.6, 0.55, 0.1), (0.2, 0.2, 0.5)),
            cloth((0.05, 0.05, 0.1), (0.1, 0.1, 0.2)),
        ),
        animal(
            FRAMES,
            (-3.2, 3.6, 0),
            (0.08, 0, 0),
            surface([(0.25, 0.14, 0.06), (0.5, 0.35, 0.2)], scale=9),
        ),
    ]
    near = person(
        FRAMES,
        (-0.75, -2.9, 0),
        (0.042, 0.002, 0),
        cloth((0.45, 0.05, 0.06), (0.75, 0.7, 0.6)),
        surface([(0.05, 0.08, 0.2), (0.12, 0.18, 0.36)], scale=16),
        phase=1.0,
    )
    film(lambda t: ((0, -6, 1.45), (0, 0, 1.25), 33))
    return Scene(near, others)


def facade() -> Scene:
    """A pan over a brick façade; somebody walks along it with a shadow."""
    daylight(33, 28)
    ground(paving(1.6))
    house((-16, -4), 6, 3, brick(), stone(), seed=3)
    house((-4, 7), 6, 4, brick((0.5, 0.3, 0.16), (0.4, 0.22, 0.12)), stone(), seed=4, bay=1.5)
    house(
        (7, 18),
        6,
        3,
        surface([(0.2, 0.3, 0.34), (0.34, 0.45, 0.48)], scale=2, bump=0.2),
        stone(),
        seed=5,
    )
    rail = paint((0.02, 0.06, 0.04))
    for k in range(70):
        cylinder((-7 + 0.2 * k, 4.6, 0.5), 0.015, 1.0, rail)
    for z in (0.15, 0.95):
        cylinder((0, 4.6, z), 0.025, 14.2, rail, along="x")
    walker = person(
        FRAMES,
        (-2.0, 1.4, 0),
        (0.07, 0, 0),
        cloth((0.05, 0.25, 0.3), (0.8, 0.75, 0.6), 9),
        surface([(0.25, 0.2, 0.14), (0.4, 0.33, 0.24)], scale=14),
    )
    film(lambda t: ((0, -3.5, 1.6), (-4.6 + 7.0 * t, 6, 1.9 + 0.3 * t), 36))
    return Scene(walker)


def rain() -> Scene:
    """A wet street mirrors what stands on it; somebody with an umbrella passes a parked car."""
    daylight(50, 160, sun=0.08, sky=0.55)
    wet = surface(
        [(0.03,) * 3, (0.07,) * 3, (0.12,) * 3], scale=3, roughness=0.06, bump=0.05, dirt=0.6
    )
    ground(wet)
    house((-13, -2), 7, 3, brick((0.5, 0.2, 0.1), (0.4, 0.14, 0.08)), stone(), seed=6, lit=0.3)
    house(
        (-2, 12),
        7.4,
        3,
        surface([(0.2, 0.35, 0.4), (0.3, 0.5, 0.5)], scale=2),
        stone(),
        seed=7,
        lit=0.2,
    )
    box((0, 6, 0.06), (30, 1.6, 0.12), stone())
    car(FRAMES, (3.6, 4.2, 0), (0, 0, 0), paint((0.5, 0.4, 0.08)))
    other = person(
        FRAMES,
        (2.5, 5.6, 0.12),
        (-0.07, 0, 0),
        cloth((0.1, 0.3, 0.15), (0.2, 0.4, 0.2)),
        cloth((0.1,) * 3, (0.2,) * 3),
    )
    walker = person(
        FRAMES,
        (-2.2, 1.6, 0),
        (0.075, -0.01, 0),
        surface([(0.55, 0.04, 0.05), (0.75, 0.1, 0.08)], scale=9),
        cloth((0.05, 0.05, 0.12), (0.1, 0.1, 0.2)),
        phase=0.6,
    )
    shade = cylinder(
        (0.1, 0, 2.0),
        0.75,
        0.35,
        surface([(0.8, 0.65, 0.1), (0.1, 0.1, 0.4)], pattern="stripes", scale=1.2),
        walker,
        0.03,
    )
    shade.rotation_euler = (0, 0.15, 0)
    cylinder((0.12, -0.2, 1.5), 0.015, 1.0, paint((0.1,) * 3), walker)
    film(lambda t: ((0.5 * t, -5.5, 1.5), (0.5 * t, 2, 0.75), 34))
    return Scene(walker, [other], samples=8)


def night() -> Scene:
    """A dark street under lamps; a car with its lights on drives through, somebody walks behind."""
    daylight(0, 0, sun=0, sky=0.006)
    ground(asphalt(0.35))
    house((-14, 0), 7, 3, brick(), stone(), seed=8, lit=0.35)
    house(
        (0, 14),
        7.3,
        3,
        surface([(0.35, 0.3, 0.25), (0.5, 0.45, 0.36)], scale=2),
        stone(),
        seed=9,
        lit=0.25,
    )
    box((0, 5.6, 0.06), (40, 2.4, 0.12), paving(1.5))
    post = paint((0.03, 0.05, 0.04))
    for x in (-5.5, 0.8, 6.5):
        cylinder((x, 4.7, 1.9), 0.06, 3.8, post)
        ball((x, 4.7, 3.75), (0.22, 0.22, 0.28), glow((1, 0.75, 0.4), 14))
        lamp((x, 4.45, 3.7), 260)
    box((-2.6, 5.2, 0.55), (1.6, 0.5, 0.08), paint((0.3, 0.15, 0.05)))
    other = person(
        FRAMES,
        (3.2, 5.4, 0.12),
        (-0.06, 0, 0),
        cloth((0.5, 0.5, 0.55), (0.2, 0.2, 0.3)),
        cloth((0.1, 0.1, 0.2), (0.2, 0.2, 0.3)),
    )
    driven = car(FRAMES, (-5.0, 1.6, 0), (0.3, 0, 0), paint((0.12, 0.3, 0.5)), lights=True)
    for x in (-4, 3):
        lamp((x, -3.5, 4.5), 420, (0.75, 0.85, 1.0))
    film(lambda t: ((0.2 * t, -6.5, 1.7), (0.3 * t, 3, 1.35), 30))
    return Scene(driven, [other], samples=16, shutter=0.4)


def newsreel() -> Scene:
    """Hand-held, black and white, grainy: a van drives past people at a corner."""
    daylight(30, 40)
    ground(paving(0.9))
    house((-14, -1.5), 8, 4, stone(), stone(), seed=10, bay=2.2)
    house((-1.5, 14), 10, 3, brick(), stone(), seed=11)
    tree((5, 6.5, 0), 5.5, green(), 5)
    others = [
        person(
            FRAMES,
            (-2.4, 3.8, 0),
            (0.05, -0.01, 0),
            cloth((0.7, 0.7, 0.6), (0.2, 0.2, 0.2)),
            cloth((0.1,) * 3, (0.3,) * 3),
        ),
        person(
            FRAMES,
            (3.4, 4.6, 0),
            (-0.06, 0, 0),
            cloth((0.2, 0.2, 0.25), (0.35, 0.3, 0.3)),
            cloth((0.4,) * 3, (0.5,) * 3),
            phase=2,
        ),
    ]
    van = car(
        FRAMES,
        (4.6, 0.8, 0),
        (-0.3, 0.02, 0),
        surface(
            [(0.15, 0.2, 0.25), (0.5, 0.5, 0.45), (0.15, 0.2, 0.25)],
            pattern="stripes",
            scale=0.5,
            turn=(0, UP, 0),
        ),
        van=True,
    )
    van.scale = (0.8, 0.8, 0.8)

    def pose(t: float) -> tuple:
        dx, dy, dz = shake(t, 0.1)
        return (
            (0.2 + 0.3 * dx, -6.5, 1.6 + 0.3 * dz),
            (0.4 - 0.5 * t + 1.2 * dx, 2, 1.3 + dz),
            33,
            0.12 * dy,
        )

    film(pose)
    return Scene(van, others, samples=4, shutter=0.3)  # its grain hides the noise
