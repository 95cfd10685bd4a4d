"""Camera, light and Cycles' settings: renders a scene with its object, without it, and its truth.

Four passes over the frames, each into its own folder, as OpenEXR with a layer a pass:

- `with/`, `without/`: linear RGB and the denoiser's guides, the surfaces' colours and normals. Both
  take the same random numbers, so noise differs only where light that the object sends, blocks or
  reflects arrives. `with/` has the pass `coverage`, too: which share of each pixel the object
  covers, 0–1, antialiased and, where there is motion blur, blurred with it;
- `labels/`: which object each pixel's middle shows, with the object in place;
- `truth/`: depth and motion of each pixel's middle, without the object.

`cameras.json` holds per frame the focal length (px) and the pose (world to camera).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from mathutils import Matrix, Vector
from primitives import Object, animate

WIDTH, HEIGHT = 320, 192
FRAMES = 24
SENSOR = 36.0  # mm, its width
COVERAGE = "coverage"
OBJECT = 1
"""The object's label; others that move have the next, what does not move on its own has 0."""


@dataclass
class Scene:
    """What a scene function gives back: the object that is taken away, what else moves, and how it
    is filmed: `samples` a pixel, `shutter` the share of a frame it is open (0: no motion blur)."""

    taken: Object
    others: Sequence[Object] = field(default_factory=list)
    samples: int = 8
    shutter: float = 0.0


def film(pose: Callable[[float], tuple], frames: int = FRAMES) -> None:
    """Place the camera: `pose(t)`, t from 0 to 1, gives (location, target, focal length in mm) and,
    if a fourth value, the roll in rad."""
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.clip_end = SENSOR, 500
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera

    def at(frame: int) -> dict[str, object]:
        location, target, _, *roll = pose(frame / (frames - 1))
        toward = (Vector(target) - Vector(location)).to_track_quat("-Z", "Y").to_matrix()
        turned = toward @ Matrix.Rotation(roll[0] if roll else 0.0, 3, "Z")
        return {"location": location, "rotation_euler": turned.to_euler()}

    animate(camera, at, frames)
    animate(data, lambda frame: {"lens": pose(frame / (frames - 1))[2]}, frames)


def shake(t: float, size: float, seed: float = 0.0) -> tuple[float, float, float]:
    """An unsteady hand: an offset of about `size` in each direction, at time 0–1."""
    return tuple(
        size * (0.6 * math.sin(9.1 * t + 2 * k + seed) + 0.3 * math.sin(27.3 * t + 5 * k + seed)
                + 0.15 * math.sin(61.7 * t + 3 * k))
        for k in range(3)
    )  # fmt: skip


def daylight(elevation: float, azimuth: float, sun: float = 0.5, sky: float = 0.35) -> None:
    """The sun at these angles (degrees; azimuth 0 shines toward +y, 90 toward −x) and the sky's
    light; `sun` and `sky` are their strengths. Clouds are painted on the sky."""
    world = bpy.context.scene.world or bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.cycles.sampling_method = "NONE"  # its map costs more than the little noise it saves
    nodes, link = world.node_tree.nodes, world.node_tree.links.new
    background = nodes["Background"]
    background.inputs["Strength"].default_value = sky * 2.2
    where = nodes.new("ShaderNodeTexCoord")
    clouds = nodes.new("ShaderNodeTexNoise")
    clouds.inputs["Scale"].default_value, clouds.inputs["Detail"].default_value = 3.5, 3
    ramp = nodes.new("ShaderNodeValToRGB")
    blue, white = ramp.color_ramp.elements
    blue.position, white.position = 0.42, 0.66
    blue.color, white.color = (0.25, 0.42, 0.8, 1), (0.95, 0.95, 0.95, 1)
    link(where.outputs["Generated"], clouds.inputs["Vector"])
    link(clouds.outputs["Fac"], ramp.inputs["Fac"])
    link(ramp.outputs["Color"], background.inputs["Color"])
    if sun:
        light = bpy.data.lights.new("sun", "SUN")
        light.energy, light.angle = 8 * sun, math.radians(1.0)
        light.color = (1.0, 0.93, 0.82)
        made = bpy.data.objects.new("sun", light)
        bpy.context.scene.collection.objects.link(made)
        made.rotation_euler = (math.radians(90 - elevation), 0, math.radians(azimuth))


def lamp(
    at: Sequence[float], power: float, colour: Sequence[float] = (1, 0.8, 0.55), size: float = 0.3
) -> None:
    """A round lamp of `power` W that shines to all sides."""
    light = bpy.data.lights.new("lamp", "POINT")
    light.energy, light.shadow_soft_size, light.color = power, size, colour
    made = bpy.data.objects.new("lamp", light)
    bpy.context.scene.collection.objects.link(made)
    made.location = at


def _parts(prop: Object) -> list[Object]:
    return [prop, *prop.children_recursive]


def _mark(prop: Object) -> None:
    """Let the materials of the prop write 1 into the coverage pass, in copies of their own."""
    for part in _parts(prop):
        for slot in part.material_slots:
            own = slot.material.copy()
            slot.link, slot.material = "OBJECT", own
            node = own.node_tree.nodes.new("ShaderNodeOutputAOV")
            node.name = COVERAGE
            node.inputs["Value"].default_value = 1.0


def _write(folder: Path) -> None:
    """Render all frames, each with all its passes as one file, unless they are there: Blender 3.4
    crashes now and then, and the next run goes on with the versions that are missing."""
    if len(list(folder.glob("*.exr"))) == FRAMES:
        return
    bpy.context.scene.render.filepath = f"{folder}/"
    bpy.ops.render.render(animation=True)


def render(made: Scene, folder: Path) -> None:
    """Render all of the scene's passes."""
    scene = bpy.context.scene
    view, cycles = scene.view_layers[0], scene.cycles
    _set_up(scene)
    view.aovs.add().name = COVERAGE
    view.aovs[0].type = "VALUE"
    _mark(made.taken)
    for label, prop in enumerate([made.taken, *made.others], OBJECT):
        for part in _parts(prop):
            part.pass_index = label
    folder.mkdir(parents=True, exist_ok=True)
    _write_cameras(folder / "cameras.json")

    cycles.samples = made.samples
    scene.render.use_motion_blur = made.shutter > 0
    scene.render.motion_blur_shutter = made.shutter or 0.5
    view.use_pass_diffuse_color = view.use_pass_normal = True
    _write(folder / "with")
    _show(made.taken, False)
    _write(folder / "without")

    scene.render.use_motion_blur = False
    cycles.samples, cycles.filter_width = 1, 0.01  # px: the middles of the pixels
    cycles.max_bounces = 0
    view.use_pass_diffuse_color = view.use_pass_normal = False
    view.use_pass_z = view.use_pass_vector = True
    _write(folder / "truth")
    _show(made.taken, True)
    view.use_pass_z = view.use_pass_vector = False
    view.use_pass_object_index = True
    _write(folder / "labels")


def _set_up(scene: bpy.types.Scene) -> None:
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.use_persistent_data = True
    scene.frame_start, scene.frame_end = 0, FRAMES - 1
    file = scene.render.image_settings
    file.file_format, file.color_depth, file.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
    cycles = scene.cycles
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 2
    cycles.sample_clamp_indirect = 4.0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    for t in (0, FRAMES - 1):  # another pattern of noise each frame
        cycles.seed = t
        cycles.keyframe_insert("seed", frame=t)
    for curve in scene.animation_data.action.fcurves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def _show(prop: Object, shown: bool) -> None:
    for part in _parts(prop):
        part.hide_render = not shown


def _write_cameras(path: Path) -> None:
    scene, rows = bpy.context.scene, []
    for t in range(FRAMES):
        scene.frame_set(t)
        camera = scene.camera
        pose = Matrix.Diagonal((1, -1, -1, 1)) @ camera.matrix_world.inverted()
        focal = camera.data.lens / SENSOR * WIDTH
        rows.append({"focal": focal, "pose": [list(row) for row in pose]})
    path.write_text(json.dumps(rows))
