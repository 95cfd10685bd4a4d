"""What stands around: ground, plants, house fronts."""

from __future__ import annotations

import math
import random

from materials import glossy, glow, surface
from primitives import Object, Vector3, box, cylinder, mesh


def ground(material: object, size: float = 120.0, bumps: float = 0.0, seed: int = 0) -> Object:
    """Flat, or with hills up to `bumps` m beyond 15 m from the origin."""
    n = 60
    rng = random.Random(seed)
    waves = [(rng.uniform(0.05, 0.3), rng.uniform(0.05, 0.3), rng.uniform(0, 6)) for _ in range(6)]

    def height(x: float, y: float) -> float:
        far = min(1.0, max(0.0, (math.hypot(x, y) - 15) / 20))
        return bumps * far * sum(math.sin(a * x + c) * math.cos(b * y) for a, b, c in waves) / 3

    axis = [size * (k / n - 0.5) for k in range(n + 1)]
    vertices = [(x, y, height(x, y)) for y in axis for x in axis]
    faces = [
        (j * (n + 1) + i, j * (n + 1) + i + 1, (j + 1) * (n + 1) + i + 1, (j + 1) * (n + 1) + i)
        for j in range(n)
        for i in range(n)
    ]
    return mesh("ground", vertices, faces, material)


def leaves(count: int, radius: Vector3, leaf: float, material: object, seed: int) -> Object:
    """A bush or a treetop: `count` leaves of `leaf` m scattered within an ellipsoid."""
    rng = random.Random(seed)
    vertices: list[Vector3] = []
    faces = []
    for _ in range(count):
        a, z = rng.uniform(0, 2 * math.pi), rng.uniform(-1, 1)
        r = rng.random() ** 0.3 * (1 + 0.25 * math.sin(3 * a + 4 * z))
        flat = r * math.sqrt(1 - z * z)
        middle = (radius[0] * flat * math.cos(a), radius[1] * flat * math.sin(a), radius[2] * r * z)
        u = [rng.gauss(0, leaf) for _ in range(3)]
        v = [rng.gauss(0, leaf) for _ in range(3)]
        k = len(vertices)
        for i, j in ((-1, 0), (0, -0.6), (1, 0), (0, 0.6)):
            vertices.append(tuple(m + i * p + j * q for m, p, q in zip(middle, u, v, strict=True)))
        faces.append((k, k + 1, k + 2, k + 3))
    return mesh("leaves", vertices, faces, material)


def tree(at: Vector3, height: float, green: object, seed: int, leaf: float = 0.09) -> Object:
    """A trunk and a treetop; returns the treetop."""
    bark = surface(
        [(0.05, 0.03, 0.02), (0.22, 0.15, 0.1)], pattern="stripes", scale=3, stretch=(3, 3, 0.6)
    )
    cylinder(
        (at[0], at[1], at[2] + 0.3 * height), 0.05 * height, 0.6 * height, bark, top=0.025 * height
    )
    top = leaves(2600, (0.3 * height, 0.3 * height, 0.3 * height), leaf, green, seed)
    top.location = (at[0], at[1], at[2] + 0.68 * height)
    return top


def grass(
    count: int,
    x: tuple[float, float],
    y: tuple[float, float],
    length: float,
    material: object,
    seed: int,
) -> Object:
    """`count` blades on a rectangle of the ground."""
    rng = random.Random(seed)
    vertices: list[Vector3] = []
    faces = []
    for _ in range(count):
        px, py = rng.uniform(*x), rng.uniform(*y)
        a, tall = rng.uniform(0, 2 * math.pi), length * rng.uniform(0.4, 1.2)
        lean, k = [rng.gauss(0, 0.35 * tall) for _ in range(2)], len(vertices)
        w = 0.02 * length * 3
        vertices += [
            (px - w * math.cos(a), py - w * math.sin(a), 0),
            (px + w * math.cos(a), py + w * math.sin(a), 0),
            (px + lean[0], py + lean[1], tall),
        ]
        faces.append((k, k + 1, k + 2))
    return mesh("grass", vertices, faces, material)


def house(
    x: tuple[float, float],
    y: float,
    storeys: int,
    wall: object,
    frame: object,
    *,
    bay: float = 1.8,
    seed: int = 0,
    lit: float = 0.0,
) -> None:
    """A façade in the plane `y` that faces −y: windows with sills and frames, cornices, doors.
    A share `lit` of the windows shines."""
    rng = random.Random(seed)
    width, top = x[1] - x[0], 3.1 * storeys + 0.6
    box(((x[0] + x[1]) / 2, y + 2.0, top / 2), (width, 4.0, top), wall)
    glass = [
        glossy((0.02, 0.03, 0.04)),
        glossy((0.05, 0.06, 0.07)),
        surface([(0.3, 0.26, 0.2), (0.5, 0.45, 0.4)], pattern="stripes", scale=9),
    ]
    warm = glow((1.0, 0.6, 0.25), 2.5)
    for storey in range(storeys):
        z = 3.1 * storey
        box(((x[0] + x[1]) / 2, y - 0.06, z + 3.1), (width, 0.22, 0.18), frame)
        for k in range(int(width / bay)):
            cx = x[0] + (k + 0.5) * width / int(width / bay)
            tall = 1.6 if storey else 2.0
            cz = z + (1.7 if storey else 1.2)
            pane = warm if rng.random() < lit else rng.choice(glass)
            box((cx, y - 0.01, cz), (0.9, 0.06, tall), pane)
            for side in (-0.48, 0.48):
                box((cx + side, y - 0.05, cz), (0.1, 0.16, tall + 0.1), frame)
            box((cx, y - 0.04, cz), (0.05, 0.1, tall), frame)
            box((cx, y - 0.04, cz + 0.2 * tall), (0.9, 0.1, 0.05), frame)
            box((cx, y - 0.1, cz - tall / 2 - 0.05), (1.15, 0.3, 0.1), frame)
