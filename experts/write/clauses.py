"""The enhanced instruction: the short one, how well the edit is to be done, and what stays.

Both clauses are written by people, and every combination passes `checks.check`.
"""

from __future__ import annotations

import numpy as np

from experts.write.motion import contradicts_motion
from experts.write.request import WriteRequest

_DRAWN_HOW = (
    "with natural light, colors and textures",
    "filling in natural colors and light",
    "with a natural and lifelike look",
    "adding realistic colors and fine textures",
    "so that it looks like real footage",
)
_DRAWN_STAYS = (
    "while all shapes and motion stay the same",
    "and keep every shape and motion in place",
    "but leave every line where it is",
    "keeping each outline just where it is",
)
_MAP_STAYS = (
    "and keep every shape and motion in place",
    "while all shapes and motion stay the same",
    "keeping every line steady from frame to frame",
    "and leave each thing in its place",
)

_HOW: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "filling the place with fitting background",
        "rebuilding what lies behind in every frame",
        "so that no trace remains in sight",
        "with natural background in that place",
        "as if nothing had ever been there",
    ),
    "object_addition": (
        "matching the light and the camera motion",
        "so that it belongs there quite naturally",
        "blending well with light and motion",
        "with natural edges and matching light",
        "at a natural size and place",
    ),
    "local_style_transfer": (
        "following its outline in every frame",
        "with the same look in every frame",
        "with light and shading kept natural",
        "from the first frame to the last",
        "cleanly up to its own edges",
    ),
    "global_style_transfer": (
        "with the same look in every frame",
        "steady from one frame to the next",
        "over the whole picture without any flicker",
        "in every part of the picture",
        "with textures that follow the motion",
    ),
    "object_swap": (
        "moving along the same path as before",
        "in the same place and light",
        "so that it fits light and motion",
        "with the same motion and place",
        "matching the light and the sharpness there",
    ),
    "object_grounding": (
        "painting each instance in one bright color",
        "with one solid color for each instance",
        "following every instance from frame to frame",
        "in flat colors that stay the same",
    ),
    "inpainting": (
        "so that it blends with its surroundings",
        "matching the light and motion around it",
        "continuing what can be seen around it",
        "with details that stay steady over time",
        "without any visible seam or flicker",
    ),
    "outpainting": (
        "continuing the scene naturally on all sides",
        "matching the light and the motion",
        "so that the new parts blend in",
        "with details that stay steady over time",
        "without any visible seam or border",
    ),
    "canny_to_video": _DRAWN_HOW,
    "hed_to_video": _DRAWN_HOW,
    "fake_scribble_to_video": _DRAWN_HOW,
    "depth_to_video": _DRAWN_HOW,
    "hed_detection": (
        "showing strong boundaries brightly on black",
        "as white lines on plain black",
        "drawing only the outlines of things",
        "with weak edges fainter than strong ones",
    ),
    "fake_scribble_detection": (
        "with only the main shapes shown",
        "as thick white strokes on black",
        "with only few strokes for each shape",
        "in simple white lines on black",
    ),
    "depth_detection": (
        "showing near parts brightly, far ones darkly",
        "with bright tones for what is near",
        "in gray tones steady over time",
    ),
    "colorization": (
        "with the same colors in every frame",
        "choosing natural tones that stay steady",
        "in believable tones for every surface",
        "without any color running over edges",
    ),
    "deblur": (
        "bringing back fine edges and textures",
        "and take out the noise too",
        "so that fine textures can be seen",
        "with crisp edges in every frame",
    ),
    "upscaling": (
        "adding fine and steady detail everywhere",
        "with sharp edges and clean textures",
        "so that fine textures can be seen",
        "free of noise and compression marks",
    ),
}
"""What a good edit is like, 6 or 7 words each."""

_STAYS: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "and leave everything else as it is",
        "while the rest of the video stays unchanged",
        "but keep the light and all motion unchanged",
        "and change nothing else in the whole picture",
        "while all other things stay just the same",
    ),
    "object_addition": (
        "and leave everything else in place unchanged",
        "while the rest stays just the same",
        "but keep the background exactly as it is",
        "and change nothing else in the whole picture",
        "while everything already visible stays as it is",
    ),
    "local_style_transfer": (
        "but keep its shape and its motion unchanged",
        "and leave everything around it exactly unchanged",
        "while the background stays just as it is",
        "and change nothing else in the whole picture",
        "while the rest of the video stays unchanged",
    ),
    "global_style_transfer": (
        "but keep every object and its motion recognizable",
        "while objects and camera motion stay the same",
        "keeping the layout and the motion unchanged",
        "and leave the content of the scene unchanged",
        "while all shapes stay where they are now",
    ),
    "object_swap": (
        "and leave everything else exactly as it is",
        "while the rest of the video stays unchanged",
        "and change nothing else in the whole picture",
        "while everything around it stays the same",
        "but keep the background and all else unchanged",
    ),
    "object_grounding": (
        "and leave everything else in plain black",
        "while the rest of the picture is black",
        "and keep all other parts completely black",
        "while nothing else is shown but black",
    ),
    "inpainting": (
        "and keep all visible parts exactly unchanged",
        "while everything visible stays as it is",
        "and leave the rest of the picture unchanged",
        "but change nothing of what is visible",
    ),
    "outpainting": (
        "and keep the visible part exactly unchanged",
        "while the visible part stays as it is",
        "and leave the visible picture completely unchanged",
        "but change nothing of what is visible",
    ),
    "canny_to_video": _DRAWN_STAYS,
    "hed_to_video": _DRAWN_STAYS,
    "fake_scribble_to_video": _DRAWN_STAYS,
    "depth_to_video": (
        "keeping near and far in their places",
        "while all shapes and motion stay the same",
        "and keep each distance and shape in place",
    ),
    "hed_detection": _MAP_STAYS,
    "fake_scribble_detection": _MAP_STAYS,
    "depth_detection": (
        "and keep every shape in its place",
        "while all shapes and motion stay unchanged",
        "with every outline left where it is",
    ),
    "colorization": (
        "and keep every shape and its motion unchanged",
        "but keep content and layout as they are",
        "while shapes and motion stay as they are",
        "and leave everything but the color unchanged",
    ),
    "deblur": (
        "and keep colors and motion as they are",
        "while content, colors and motion stay unchanged",
        "and leave colors and motion exactly unchanged",
        "but change nothing else in the picture",
    ),
    "upscaling": (
        "and keep content, colors and motion unchanged",
        "while the content and motion stay the same",
        "and leave colors and motion exactly unchanged",
        "but change nothing else in the picture",
    ),
}
"""What stays, 6 to 8 words each: with a clause of either and 3 to 25 words of the short form, an
enhanced instruction has 15 to 40."""


def enhance(text: str, request: WriteRequest) -> str:
    """The short instruction, how well it is to be done and what stays, in one sentence; the clauses
    are drawn by the seed, of those that do not contradict how the object moves."""
    rng = np.random.default_rng((request.seed, 2))
    how, stays = (
        fitting[int(rng.integers(len(fitting)))]
        for clauses in (_HOW[request.task], _STAYS[request.task])
        if (fitting := [each for each in clauses if not contradicts_motion(each, request)])
    )
    return f"{text.removesuffix('.')}, {how}, {stays}."


def clause_words(task: str) -> frozenset[str]:
    """The words that the task's clauses bring into an enhanced instruction."""
    return frozenset(" ".join(_HOW[task] + _STAYS[task]).replace(",", "").split())
