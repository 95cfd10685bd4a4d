"""Boxes, cylinders, balls and meshes, and how they move.

Lengths are m, z is up, and what can move faces along +x. A thing of several parts is an empty with
the parts as its children."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import bmesh
import bpy

Vector3 = tuple[float, float, float]
Object = bpy.types.Object


def _object(name: str, mesh: bpy.types.Mesh | None, parent: Object | None = None) -> Object:
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    made.parent = parent
    return made


def group(name: str, at: Vector3 = (0, 0, 0)) -> Object:
    """An empty for parts to hang on."""
    made = _object(name, None)
    made.location = at
    return made


def mesh(
    name: str, vertices: Sequence[Vector3], faces: Sequence[Sequence[int]], material: object
) -> Object:
    """An object of given vertices and faces."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(list(vertices), [], [list(face) for face in faces])
    data.materials.append(material)
    return _object(name, data)


def _primitive(
    name: str, at: Vector3, material: object, parent: Object | None, smooth: bool, build: Callable
) -> Object:
    shape, data = bmesh.new(), bpy.data.meshes.new(name)
    build(shape)
    for face in shape.faces:
        face.smooth = smooth
    shape.to_mesh(data)
    shape.free()
    data.materials.append(material)
    made = _object(name, data, parent)
    made.location = at
    return made


def box(
    at: Vector3,
    size: Vector3,
    material: object,
    parent: Object | None = None,
    bevel: float = 0.0,
) -> Object:
    """A box of that size around `at`, its edges rounded by `bevel` m."""

    def build(shape: bmesh.types.BMesh) -> None:
        bmesh.ops.create_cube(shape, size=1)
        bmesh.ops.scale(shape, vec=size, verts=shape.verts)
        if bevel:
            bmesh.ops.bevel(shape, geom=shape.edges[:], offset=bevel, segments=3, affect="EDGES")

    return _primitive("box", at, material, parent, False, build)


def cylinder(
    at: Vector3,
    radius: float,
    height: float,
    material: object,
    parent: Object | None = None,
    top: float | None = None,
    along: str = "z",
) -> Object:
    """A cylinder around `at`, or a cone whose upper radius is `top`, along an axis."""

    def build(shape: bmesh.types.BMesh) -> None:
        bmesh.ops.create_cone(
            shape,
            cap_ends=True,
            segments=24,
            radius1=radius,
            radius2=radius if top is None else top,
            depth=height,
        )

    made = _primitive("cylinder", at, material, parent, True, build)
    made.rotation_euler = {"z": (0, 0, 0), "x": (0, math.pi / 2, 0), "y": (math.pi / 2, 0, 0)}[
        along
    ]
    return made


def ball(
    at: Vector3, size: Vector3, material: object, parent: Object | None = None, rough: float = 0.0
) -> Object:
    """An ellipsoid of these radii; `rough` moves its vertices by that share of them (stones)."""
    rng = random.Random(str(at))

    def build(shape: bmesh.types.BMesh) -> None:
        bmesh.ops.create_icosphere(shape, subdivisions=3 if rough else 4, radius=1)
        for vertex in shape.verts:
            vertex.co *= 1 + rough * rng.uniform(-1, 1)
        bmesh.ops.scale(shape, vec=size, verts=shape.verts)

    return _primitive("ball", at, material, parent, True, build)


def animate(prop: Object, pose: Callable[[int], dict[str, object]], frames: int) -> None:
    """Key the properties that `pose(frame)` gives ("location", "rotation_euler", …), each frame and
    one on both sides, linearly between."""
    for t in range(-1, frames + 1):
        for path, value in pose(t).items():
            setattr(prop, path, value)
            prop.keyframe_insert(path, frame=t)
    for curve in prop.animation_data.action.fcurves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def moving(prop: Object, start: Vector3, step: Vector3, frames: int, turn: float = 0.0) -> None:
    """From `start` by `step` m a frame, facing `turn` (rad about z)."""
    animate(
        prop,
        lambda t: {
            "location": [a + b * t for a, b in zip(start, step, strict=True)],
            "rotation_euler": (0, 0, turn),
        },
        frames,
    )
