"""A hall, a race track, a tower, a table: see `scenes.py`."""

from __future__ import annotations

import math
import random

from figures import car
from materials import asphalt, brick, cloth, glossy, green, paint, paving, stone, surface
from primitives import animate, ball, box, cylinder, group
from scenery import ground, tree
from studio import FRAMES, Scene, daylight, film, lamp

UP = math.pi / 2


def columns() -> Scene:
    """A dolly through a colonnade of marble; a ball rolls over the polished floor, in and out of
    the sun, and behind a column that stays."""
    daylight(35, 62, sun=0.7, sky=0.25)
    marble = surface(
        [(0.75, 0.72, 0.66), (0.45, 0.42, 0.38), (0.8, 0.78, 0.72)],
        pattern="stripes",
        scale=0.8,
        roughness=0.25,
        bump=0.0,
    )
    ground(
        surface(
            [(0.6, 0.57, 0.5), (0.12, 0.1, 0.1)],
            pattern="checks",
            scale=1.25,
            roughness=0.12,
            bump=0.0,
        )
    )
    for y in (-1.5, 1.5, 4.5, 7.5):
        for x in (-2.2, 2.2):
            cylinder((x, y, 1.7), 0.3, 3.4, marble, top=0.26)
            box((x, y, 0.1), (0.8, 0.8, 0.2), marble, bevel=0.03)
    box((0, 10, 2.2), (12, 0.4, 4.4), brick((0.55, 0.4, 0.25), (0.45, 0.33, 0.2)))
    box(
        (-4.6, 3, 2.2),
        (0.4, 14, 4.4),
        surface([(0.4, 0.15, 0.1), (0.6, 0.3, 0.2)], pattern="cells", scale=3),
    )
    for y in (1.5, 7.5):
        box((0, y, 3.6), (5.2, 0.6, 0.5), marble)
    toy = ball(
        (0, 0, 0.55),
        (0.55,) * 3,
        surface(
            [(0.7, 0.08, 0.05), (0.85, 0.7, 0.2), (0.05, 0.2, 0.5)],
            pattern="checks",
            scale=3,
            roughness=0.3,
        ),
    )
    animate(
        toy,
        lambda t: {
            "location": (-1.9 + 0.15 * t, 2.2 - 0.03 * t, 0.55),
            "rotation_euler": (0, 0.15 * t / 0.55, 0),
        },
        FRAMES,
    )
    film(lambda t: ((0.6 - 0.7 * t, -5.5 + 1.6 * t, 1.5), (0.1, 3, 0.9), 30))
    return Scene(toy, samples=10)


def racing() -> Scene:
    """A camera that follows a fast car, so that everything else is blurred by the motion."""
    daylight(36, 30)
    ground(surface([(0.08, 0.12, 0.03), (0.2, 0.22, 0.08)], scale=2))
    box((0, 1.5, 0.01), (90, 4.4, 0.02), asphalt())
    for k in range(60):
        box(
            (-30 + k, 3.9, 0.09),
            (0.9, 0.35, 0.18),
            paint((0.7, 0.06, 0.05) if k % 2 else (0.8, 0.8, 0.78)),
        )
    for k in range(12):
        box(
            (-22 + 4 * k, 6.0, 0.9),
            (3.4, 0.15, 1.4),
            surface(
                [*[(0.05, 0.2, 0.5), (0.85, 0.8, 0.3), (0.6, 0.1, 0.1)][k % 3 :], (0.8,) * 3],
                pattern=("checks", "cells", "stripes", "noise")[k % 4],
                scale=1.5,
            ),
        )
    rng = random.Random(5)
    for k in range(18):
        tree((-22 + 2.6 * k, rng.uniform(8, 13), 0), rng.uniform(4, 7), green(), k, 0.12)
    stripes = surface(
        [(0.75, 0.2, 0.02), (0.8, 0.75, 0.7), (0.75, 0.2, 0.02)],
        pattern="stripes",
        scale=0.35,
        turn=(0, 0, UP),
        roughness=0.3,
        bump=0,
    )
    racer = car(FRAMES, (-5.2, 1.2, 0.02), (0.45, 0, 0), stripes)

    def pose(t: float) -> tuple:
        x = -5.2 + 0.45 * (FRAMES - 1) * t
        return ((0, -7, 1.5), (0.85 * x + 0.6 * math.sin(3 * t), 1.5, 1.0), 34)

    film(pose)
    return Scene(racer, samples=6, shutter=0.8)


def tower() -> Scene:
    """A zoom out from a front of glass and grids; a drone hovers before it."""
    daylight(45, 35)
    ground(paving())
    glass = [
        glossy((0.03, 0.05, 0.07), 0.03),
        glossy((0.06, 0.09, 0.1), 0.1),
        surface([(0.4, 0.36, 0.3), (0.6, 0.55, 0.45)], pattern="stripes", scale=6),
    ]
    frame = surface([(0.35,) * 3, (0.55,) * 3], scale=6, metallic=0.5, roughness=0.4)
    rng = random.Random(7)
    for i in range(-9, 10):
        box((1.2 * i - 0.6, 7.85, 8), (0.12, 0.35, 18), frame)
        for j in range(11):
            box((1.2 * i, 8.1, 0.75 + 1.5 * j), (1.1, 0.1, 1.35), rng.choice(glass))
    for j in range(12):
        box((0, 7.9, 1.5 * j), (23, 0.25, 0.16), frame)
    for k in range(60):
        box((-6 + 0.2 * k, 6.9, 3.4), (0.025, 0.025, 0.9), frame)
    box((0, 7.3, 2.9), (12.4, 1.0, 0.12), stone())
    box((0, 6.9, 3.85), (12.2, 0.06, 0.06), frame)
    tree((-4.2, 4.5, 0), 5.5, green(), 3)
    drone = group("drone")
    drone.scale = (1.8, 1.8, 1.8)
    body = surface([(0.75, 0.3, 0.03), (0.15, 0.12, 0.1)], pattern="checks", scale=8, roughness=0.4)
    ball((0, 0, 0), (0.4, 0.28, 0.14), body, drone)
    for k in range(4):
        a = math.pi / 4 + k * UP
        arm = box((0.35 * math.cos(a), 0.35 * math.sin(a), 0.05), (0.6, 0.06, 0.05), frame, drone)
        arm.rotation_euler = (0, 0, a)
        cylinder(
            (0.66 * math.cos(a), 0.66 * math.sin(a), 0.1), 0.3, 0.03, paint((0.05,) * 3), drone
        )
    for y in (-0.25, 0.25):
        cylinder((0, y, -0.25), 0.025, 0.7, frame, drone, along="x")
    animate(
        drone,
        lambda t: {
            "location": (-1.5 + 0.12 * t, 2.0, 4.3 + 0.35 * math.sin(0.3 * t)),
            "rotation_euler": (0.25, 0.2 * math.sin(0.25 * t), 0.3),
        },
        FRAMES,
    )
    film(lambda t: ((0.4 * t, -6, 2.2), (0, 4, 4.2), 46 - 14 * t))
    return Scene(drone, samples=6)


def table() -> Scene:
    """A close-up indoors: a large vase turns and slides over a table, a cup stays before it."""
    daylight(0, 0, sun=0, sky=0.12)
    wood = surface(
        [(0.16, 0.07, 0.03), (0.4, 0.22, 0.1), (0.25, 0.12, 0.05)],
        pattern="stripes",
        scale=1.6,
        stretch=(0.4, 5, 1),
        roughness=0.3,
    )
    box((0, 0.5, -0.05), (4, 2.4, 0.1), wood)
    box(
        (0, 2.4, 0.6),
        (6, 0.1, 3.2),
        surface(
            [(0.2, 0.3, 0.22), (0.6, 0.6, 0.45), (0.3, 0.42, 0.3)],
            pattern="cells",
            scale=6,
            turn=(UP, 0, 0),
            bump=0.1,
        ),
    )
    book = [
        cloth(a, b, 12)
        for a, b in (
            ((0.4, 0.05, 0.05), (0.5, 0.1, 0.08)),
            ((0.05, 0.15, 0.35), (0.1, 0.2, 0.4)),
            ((0.1, 0.3, 0.1), (0.2, 0.35, 0.15)),
            ((0.5, 0.35, 0.1), (0.6, 0.5, 0.2)),
        )
    ]
    for k in range(16):
        box(
            (-1.7 + 0.2 * k, 1.5, 0.4 + 0.04 * (k * 7 % 5)),
            (0.16, 0.5, 0.8 + 0.08 * (k * 7 % 5)),
            book[k * 5 % 4],
            bevel=0.01,
        )
    for x, y in ((-0.95, 0.75), (-0.75, 0.9), (-0.8, 0.55), (0.95, 0.8), (1.15, 0.65)):
        ball(
            (x, y, 0.12),
            (0.12, 0.12, 0.115),
            surface([(0.6, 0.08, 0.03), (0.75, 0.5, 0.08)], scale=4, roughness=0.35, bump=0.1),
            rough=0.01,
        )
    cylinder(
        (0.26, -0.4, 0.12),
        0.1,
        0.24,
        surface([(0.7, 0.7, 0.65), (0.1, 0.2, 0.5)], pattern="checks", scale=14, roughness=0.2),
        top=0.12,
    )
    vase = group("vase")
    clay = surface(
        [(0.08, 0.25, 0.35), (0.75, 0.65, 0.45), (0.5, 0.12, 0.06)],
        pattern="stripes",
        scale=2.5,
        roughness=0.25,
    )
    ball((0, 0, 0.3), (0.28, 0.28, 0.32), clay, vase)
    cylinder((0, 0, 0.68), 0.1, 0.3, clay, vase, 0.17)
    handle = box((0.29, 0, 0.58), (0.05, 0.06, 0.4), clay, vase, 0.015)
    handle.rotation_euler = (0, -0.35, 0)
    animate(
        vase,
        lambda t: {"location": (-0.36 + 0.03 * t, 0.25, 0), "rotation_euler": (0, 0, 0.05 * t)},
        FRAMES,
    )
    lamp((-1.6, -0.9, 1.7), 110, size=0.25)
    lamp((1.8, -1.2, 1.2), 18, colour=(0.6, 0.75, 1.0), size=0.5)
    film(lambda t: ((-0.12 + 0.3 * t, -1.75, 0.75 + 0.08 * t), (0.0, 0.5, 0.36), 36))
    return Scene(vase, samples=10)
