"""Procedural materials: patterns with dirt and bumps, so that nothing is flat plastic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy

Colour = tuple[float, float, float]
"""Linear red, green, blue, 0–1."""

PATTERNS = {
    "noise": "ShaderNodeTexNoise",
    "cells": "ShaderNodeTexVoronoi",
    "stripes": "ShaderNodeTexWave",
    "checks": "ShaderNodeTexChecker",
    "bricks": "ShaderNodeTexBrick",
}


def surface(
    colours: Sequence[Colour],
    *,
    pattern: str = "noise",
    scale: float = 4.0,
    stretch: Sequence[float] = (1.0, 1.0, 1.0),
    turn: Sequence[float] = (0.0, 0.0, 0.0),
    roughness: float = 0.7,
    metallic: float = 0.0,
    bump: float = 0.3,
    dirt: float = 0.4,
    dirt_scale: float = 1.3,
) -> bpy.types.Material:
    """A material whose colour runs through `colours` along a pattern of PATTERNS.

    Lengths are the object's (m): the pattern repeats about `scale` times a metre, `stretch` and
    `turn` (rad) place it. `dirt` (0–1) is how dark the large irregular stains are, `dirt_scale` of
    them a metre. For bricks, which lie in the object's xy plane, the colours are those of
    two bricks and of the mortar.
    """
    material = bpy.data.materials.new(pattern)
    material.use_nodes = True
    nodes, link = material.node_tree.nodes, material.node_tree.links.new
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic

    place = nodes.new("ShaderNodeMapping")
    place.inputs["Scale"].default_value = stretch
    place.inputs["Rotation"].default_value = turn
    link(nodes.new("ShaderNodeTexCoord").outputs["Object"], place.inputs["Vector"])
    texture = nodes.new(PATTERNS[pattern])
    texture.inputs["Scale"].default_value = scale
    link(place.outputs["Vector"], texture.inputs["Vector"])
    if pattern == "bricks":
        for name, colour in zip(("Color1", "Color2", "Mortar"), colours, strict=True):
            texture.inputs[name].default_value = (*colour, 1)
        colour, height = texture.outputs["Color"], texture.outputs["Color"]
    else:
        if pattern == "noise":
            texture.inputs["Detail"].default_value = 4
            texture.inputs["Roughness"].default_value = 0.65
        if pattern == "stripes":
            texture.inputs["Distortion"].default_value = 2.5
            texture.inputs["Detail"].default_value = 3
        height = texture.outputs["Distance" if pattern == "cells" else "Fac"]
        ramp = nodes.new("ShaderNodeValToRGB")
        low, high = (0.3, 0.7) if pattern == "noise" else (0.0, 0.9)
        while len(ramp.color_ramp.elements) < len(colours):
            ramp.color_ramp.elements.new(0.5)
        for k, (element, value) in enumerate(zip(ramp.color_ramp.elements, colours, strict=True)):
            element.position = low + (high - low) * k / max(1, len(colours) - 1)
            element.color = (*value, 1)
        link(height, ramp.inputs["Fac"])
        colour = ramp.outputs["Color"]

    stains = nodes.new("ShaderNodeTexNoise")
    stains.inputs["Scale"].default_value = dirt_scale
    stains.inputs["Detail"].default_value = 3
    link(nodes["Texture Coordinate"].outputs["Object"], stains.inputs["Vector"])
    stained = nodes.new("ShaderNodeMapRange")
    stained.inputs["From Min"].default_value, stained.inputs["From Max"].default_value = 0.35, 0.65
    stained.inputs["To Min"].default_value, stained.inputs["To Max"].default_value = 1 - dirt, 1.1
    link(stains.outputs["Fac"], stained.inputs["Value"])
    mix = nodes.new("ShaderNodeMixRGB")
    mix.blend_type = "MULTIPLY"
    mix.inputs["Fac"].default_value = 1
    link(colour, mix.inputs["Color1"])
    link(stained.outputs["Result"], mix.inputs["Color2"])
    link(mix.outputs["Color"], shader.inputs["Base Color"])

    bumps = nodes.new("ShaderNodeBump")
    bumps.inputs["Strength"].default_value = bump
    bumps.inputs["Distance"].default_value = 0.3 / scale
    link(height, bumps.inputs["Height"])
    link(bumps.outputs["Normal"], shader.inputs["Normal"])
    return material


def glossy(colour: Colour, roughness: float = 0.05, ripple: float = 0.0) -> bpy.types.Material:
    """Glass panes and water without their transparency: dark, and a mirror at a low angle."""
    material = surface([colour, colour], roughness=roughness, bump=ripple, scale=1.5, dirt=0.2)
    material.node_tree.nodes["Principled BSDF"].inputs["Specular"].default_value = 1.0
    return material


def glow(colour: Colour, strength: float) -> bpy.types.Material:
    """A material that shines."""
    material = bpy.data.materials.new("glow")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Emission"].default_value = (*colour, 1)
    shader.inputs["Emission Strength"].default_value = strength
    material.cycles.sample_as_light = False  # lamps light the scene: fewer lights, less noise
    return material


def paint(colour: Colour, roughness: float = 0.35) -> bpy.types.Material:
    """Painted metal that is a little worn."""
    worn = tuple(0.6 * c for c in colour)
    return surface([worn, colour, colour], scale=3, roughness=roughness, bump=0.05, dirt=0.25)


def cloth(a: Colour, b: Colour, scale: float = 7.0, turn: float = 0.0) -> bpy.types.Material:
    """Striped cloth."""
    return surface(
        [a, b, a], pattern="stripes", scale=scale, turn=(0, turn, 0), roughness=0.9, bump=0.2
    )


def paving(scale: float = 1.1) -> bpy.types.Material:
    """Slabs of stone on the ground."""
    return surface(
        [(0.36, 0.31, 0.27), (0.22, 0.2, 0.19), (0.1, 0.09, 0.08)], pattern="bricks", scale=scale,
        bump=0.6, dirt=0.5, dirt_scale=0.5,
    )  # fmt: skip


def brick(a: Colour = (0.42, 0.13, 0.07), b: Colour = (0.28, 0.09, 0.06)) -> bpy.types.Material:
    """A wall of bricks, in the xz plane."""
    return surface(
        [a, b, (0.45, 0.4, 0.35)],
        pattern="bricks",
        scale=2.5,
        turn=(math.pi / 2, 0, 0),
        bump=0.5,
        dirt=0.4,
    )


def asphalt(roughness: float = 0.85) -> bpy.types.Material:
    """Worn asphalt."""
    return surface([(0.04,) * 3, (0.09,) * 3, (0.16,) * 3], scale=25, roughness=roughness, dirt=0.5)


def green(
    dark: Colour = (0.02, 0.06, 0.01), light: Colour = (0.16, 0.3, 0.04)
) -> bpy.types.Material:
    """Leaves or grass."""
    return surface([dark, light], scale=1.5, roughness=0.6, bump=0.0, dirt=0.3)


def stone() -> bpy.types.Material:
    """Hewn stone."""
    return surface([(0.3, 0.27, 0.23), (0.5, 0.46, 0.4), (0.62, 0.57, 0.5)], scale=3, bump=0.4)
