"""Who and what moves: people, animals, cars; all walk or drive along +x of their own."""

from __future__ import annotations

import math

import bpy
from materials import glossy, glow, surface
from primitives import Object, Vector3, animate, ball, box, cylinder, group, moving


def person(
    frames: int,
    start: Vector3,
    step: Vector3,
    shirt: object,
    trousers: object,
    *,
    height: float = 1.75,
    phase: float = 0.0,
) -> Object:
    """Somebody who walks from `start` by `step` m a frame, with swinging arms and legs."""
    body = group("person")
    s = height / 1.75
    skin = surface([(0.5, 0.27, 0.18), (0.62, 0.36, 0.25)], scale=20, roughness=0.5, bump=0.05)
    hair = surface([(0.03, 0.02, 0.01), (0.12, 0.07, 0.03)], pattern="stripes", scale=20)
    ball((0, 0, 1.25 * s), (0.15 * s, 0.21 * s, 0.34 * s), shirt, body)
    ball((0, 0, 0.92 * s), (0.14 * s, 0.18 * s, 0.16 * s), trousers, body)
    cylinder((0, 0, 1.53 * s), 0.05 * s, 0.12 * s, skin, body)
    ball((0.01, 0, 1.65 * s), (0.1 * s, 0.08 * s, 0.125 * s), skin, body)
    ball((-0.02, 0, 1.69 * s), (0.105 * s, 0.09 * s, 0.11 * s), hair, body)
    speed = math.hypot(step[0], step[1])
    pace = 2 * math.pi * speed / (1.35 * s)  # rad a frame: 1.35 m for two steps
    swing = 0.55 if speed else 0.0

    def limb(at: Vector3, lengths: tuple[float, float], width: float, materials: tuple, sign: int):
        upper = group("limb", at)
        upper.parent = body
        lower = group("limb", (0, 0, -lengths[0]))
        lower.parent = upper
        for part, length, w, m in zip(
            (upper, lower), lengths, (width, 0.8 * width), materials, strict=True
        ):
            ball((0, 0, -length / 2), (w, w, length / 2 + w / 2), m, part)
        leg = width > 0.06 * s
        if leg:
            ball((0.07 * s, 0, -lengths[1]), (0.14 * s, 0.05 * s, 0.05 * s), hair, lower)
        angle = [sign * swing * math.sin(pace * t + phase) for t in range(-1, frames + 1)]
        animate(
            upper, lambda t: {"rotation_euler": (0, -angle[t + 1] * (1 if leg else 0.8), 0)}, frames
        )
        bend = (lambda a: max(0.0, -1.1 * a) + 0.08) if leg else (lambda a: -0.3 - 0.3 * abs(a))
        animate(lower, lambda t: {"rotation_euler": (0, bend(angle[t + 1]), 0)}, frames)

    for side in (-1, 1):
        limb((0, side * 0.09 * s, 0.88 * s), (0.42 * s, 0.42 * s), 0.085 * s, (trousers,) * 2, side)
        limb((0, side * 0.25 * s, 1.45 * s), (0.3 * s, 0.28 * s), 0.055 * s, (shirt, skin), -side)
    turn = math.atan2(step[1], step[0]) if speed else 0.0
    moving(body, start, step, frames, turn)
    return body


def animal(
    frames: int,
    start: Vector3,
    step: Vector3,
    fur: object,
    *,
    size: float = 1.0,
    phase: float = 0.0,
) -> Object:
    """A dog or, with a larger `size`, a deer or a cow: four legs, a head and a tail."""
    body = group("animal")
    ball((0, 0, 0.55 * size), (0.42 * size, 0.17 * size, 0.19 * size), fur, body)
    ball((0.3 * size, 0, 0.62 * size), (0.2 * size, 0.16 * size, 0.2 * size), fur, body)
    neck = cylinder((0.45 * size, 0, 0.75 * size), 0.11 * size, 0.3 * size, fur, body, 0.08 * size)
    neck.rotation_euler = (0, 0.7, 0)
    ball((0.62 * size, 0, 0.88 * size), (0.17 * size, 0.09 * size, 0.1 * size), fur, body)
    for side in (-1, 1):
        ear = cylinder(
            (0.52 * size, side * 0.07 * size, 1.0 * size), 0.05 * size, 0.14 * size, fur, body, 0.01
        )
        ear.rotation_euler = (side * -0.3, -0.3, 0)
    tail = cylinder(
        (-0.5 * size, 0, 0.68 * size), 0.03 * size, 0.35 * size, fur, body, 0.015 * size
    )
    tail.rotation_euler = (0, -0.8, 0)
    speed = math.hypot(step[0], step[1])
    pace = 2 * math.pi * speed / (0.8 * size)
    for k, (x, y) in enumerate(((0.3, 0.1), (0.3, -0.1), (-0.3, 0.1), (-0.3, -0.1))):
        leg = group("leg", (x * size, y * size, 0.5 * size))
        leg.parent = body
        ball((0, 0, -0.25 * size), (0.06 * size, 0.06 * size, 0.28 * size), fur, leg)
        lag = phase + (0, math.pi, math.pi, 0)[k]
        animate(
            leg,
            lambda t, lag=lag: {"rotation_euler": (0, 0.5 * math.sin(pace * t + lag), 0)},
            frames,
        )
    moving(body, start, step, frames, math.atan2(step[1], step[0]) if speed else 0.0)
    return body


def car(
    frames: int,
    start: Vector3,
    step: Vector3,
    body: object,
    *,
    lights: bool = False,
    van: bool = False,
) -> Object:
    """A car, or a van; with `lights` its lamps shine on what lies before it."""
    made = group("car")
    glass, rubber = glossy((0.02, 0.025, 0.03)), surface([(0.01,) * 3, (0.04,) * 3], scale=15)
    top = 1.05 if van else 0.65
    box((0, 0, 0.62), (4.2, 1.75, 0.62), body, made, 0.12)
    roof = -0.25 if not van else -0.35
    box((roof, 0, 0.9 + top / 2), (2.3 if not van else 3.3, 1.6, top), body, made, 0.18)
    box((roof, 0, 0.95 + top / 2), (2.34 if not van else 3.34, 1.45, 0.45 * top), glass, made, 0.05)
    for at in (-0.65, 0.35) if not van else (0.7,):
        box((roof + at, 0, 0.95 + top / 2), (0.75, 1.64, 0.45 * top), glass, made, 0.04)
    rim = surface([(0.3,) * 3, (0.7,) * 3], pattern="checks", scale=6, metallic=0.8, roughness=0.3)
    radius = 0.34
    spin = math.hypot(step[0], step[1]) / radius
    for x in (-1.3, 1.3):
        for y in (-0.8, 0.8):
            wheel = cylinder((x, y, radius), radius, 0.24, rubber, made, along="y")
            cylinder((0, 0, 0), 0.2, 0.26, rim, wheel)
            animate(
                wheel,
                lambda t: {"rotation_euler": (math.pi / 2, spin * t, 0)},
                frames,
            )
    for y in (-0.6, 0.6):
        box((2.1, y, 0.68), (0.06, 0.35, 0.18), glow((1, 0.9, 0.7), 12 if lights else 0.4), made)
        box((-2.1, y, 0.72), (0.06, 0.35, 0.15), glow((1, 0.03, 0.02), 6 if lights else 0.2), made)
        if lights:
            lamp = bpy.data.lights.new("lamp", "SPOT")
            lamp.energy, lamp.spot_size, lamp.shadow_soft_size = 350, 1.0, 0.1
            beam = bpy.data.objects.new("lamp", lamp)
            bpy.context.scene.collection.objects.link(beam)
            beam.parent, beam.location = made, (2.2, y, 0.7)
            beam.rotation_euler = (0, -math.pi / 2 + 0.12, 0)
    moving(made, start, step, frames, math.atan2(step[1], step[0]) if spin else 0.0)
    return made
