"""The enhanced instruction: the short one, how well the edit is to be done, and what stays.

Both clauses are written by people, and every combination passes `checks.check`.
"""

from __future__ import annotations

import numpy as np

from experts.write.language.grammar import GENERAL, PLACES, PREPOSITIONS
from experts.write.motion import contradicts_motion
from experts.write.request import WriteRequest

_DRAWN_HOW = (
    "with natural light, colors and textures",
    "with a natural and lifelike look",
    "with realistic colors and fine textures",
    "so that everything looks like real footage",
)
_DRAWN_STAYS = (
    "while all shapes and motion stay the same",
    "and keep every shape in its place",
    "but leave every line where it is",
    "and change none of the outlines",
)
_MAP_STAYS = (
    "and keep every shape in its place",
    "while all shapes and motion stay the same",
    "and keep every line steady over time",
    "and leave each thing in its place",
)
_EVERYTHING_ELSE = (
    "and leave everything else exactly as it is",
    "while the rest of the video stays unchanged",
    "and change nothing else in the whole picture",
)

_HOW: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "with a fitting background in that place",
        "with the background rebuilt in every frame",
        "so that no trace remains in sight",
        "so that only the background is left",
        "as if nothing had ever been there",
    ),
    "object_addition": (
        "with light and sharpness that match",
        "so that the result looks quite natural",
        "with natural edges and matching light",
        "so that light and motion fit well",
    ),
    "local_style_transfer": (
        "without any flicker between the frames",
        "steadily from one frame to the next",
        "from the first frame to the last",
        "cleanly up to the very edges",
    ),
    "global_style_transfer": (
        "with the same look in every frame",
        "steadily from one frame to the next",
        "over the whole picture without any flicker",
        "in every part of the picture",
        "with textures that follow the motion",
    ),
    "object_swap": (
        "in the same place and light",
        "so that light and motion fit well",
        "at the same place and size",
        "so that light and sharpness match",
    ),
    "object_grounding": (
        "with one solid color in every frame",
        "in flat color from start to end",
        "in bright color without any gaps",
    ),
    "inpainting": (
        "with no visible seam or flicker",
        "with light and motion that match",
        "with details that stay steady over time",
        "so that no border can be seen",
    ),
    "outpainting": (
        "so that the new parts blend in",
        "with light and motion that match",
        "with details that stay steady over time",
        "without any visible seam or border",
    ),
    "canny_to_video": _DRAWN_HOW,
    "hed_to_video": _DRAWN_HOW,
    "fake_scribble_to_video": _DRAWN_HOW,
    "depth_to_video": _DRAWN_HOW,
    "hed_detection": (
        "with strong boundaries bright on black",
        "as white lines on plain black",
        "with only the outlines of things",
        "with weak edges fainter than strong ones",
    ),
    "fake_scribble_detection": (
        "with only the main shapes shown",
        "as thick white strokes on black",
        "with only a few strokes per shape",
        "in simple white lines on black",
    ),
    "depth_detection": (
        "with near parts bright and far ones dark",
        "with bright tones for what is near",
        "in gray tones steady over time",
    ),
    "colorization": (
        "with tones that stay steady over time",
        "in believable tones for every surface",
        "without any tone running over edges",
        "with the same tones in every frame",
    ),
    "deblur": (
        "with fine edges and textures brought back",
        "so that fine textures can be seen",
        "with crisp edges in every frame",
        "without any new noise or halos",
    ),
    "upscaling": (
        "with fine and steady detail everywhere",
        "with sharp edges and clean textures",
        "so that fine textures can be seen",
        "without any noise or compression marks",
    ),
}
"""What a good edit is like, 6 to 8 words each. None begins with a participle, which would seem to
be said of the noun before it; none has a pronoun for the object, which may be a person or two."""

_STAYS: dict[str, tuple[str, ...]] = {
    "object_removal": (
        *_EVERYTHING_ELSE,
        "but keep all other light and motion unchanged",
        "while all other things stay just the same",
    ),
    "object_addition": (
        "and leave everything else exactly as it is",
        "while the rest stays just the same",
        "but keep the background exactly as it is",
        "and change nothing else in the whole picture",
        "while everything already visible stays as it is",
    ),
    "local_style_transfer": (
        *_EVERYTHING_ELSE,
        "but keep the shape and the motion unchanged",
        "while the background stays just as it is",
    ),
    "global_style_transfer": (
        "but keep every object and its motion recognizable",
        "while objects and camera motion stay the same",
        "and keep the layout and the motion unchanged",
        "and leave the content of the scene unchanged",
        "while all shapes stay where they are",
    ),
    "object_swap": (
        *_EVERYTHING_ELSE,
        "while everything else stays the same",
        "but keep the background and all else unchanged",
    ),
    "object_grounding": (
        "and leave everything else in plain black",
        "while the rest of the picture is black",
        "and keep all other parts completely black",
        "while everything else is shown in black",
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
        "and keep near and far in their places",
        "while all shapes and motion stay the same",
        "and keep each distance and shape in place",
    ),
    "hed_detection": _MAP_STAYS,
    "fake_scribble_detection": _MAP_STAYS,
    "depth_detection": (
        "and keep every shape in its place",
        "while all shapes and motion stay unchanged",
        "and leave every outline where it is",
    ),
    "colorization": (
        "and keep every shape and all motion unchanged",
        "but keep content and layout as they are",
        "while shapes and motion stay as they are",
        "and change nothing else in the picture",
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
    are drawn by the seed, of those that do not contradict how the object moves and, as far as there
    are such, repeat no word."""
    rng = np.random.default_rng((request.seed, 2))
    enhanced = text.removesuffix(".")
    for clauses in (_HOW[request.task], _STAYS[request.task]):
        fitting = [each for each in clauses if not contradicts_motion(each, request)]
        fresh = [each for each in fitting if not _telling(each) & _telling(enhanced)] or fitting
        enhanced += f", {fresh[int(rng.integers(len(fresh)))]}"
    return f"{enhanced}."


def _telling(text: str) -> set[str]:
    """The words that one would notice to be said twice."""
    words = {word.rstrip(",") for word in text.lower().split()}
    return words - (GENERAL - PLACES) - PREPOSITIONS - {"they", "else", "other", "which"}


def clause_words(task: str) -> frozenset[str]:
    """The words that the task's clauses bring into an enhanced instruction."""
    return frozenset(" ".join(_HOW[task] + _STAYS[task]).replace(",", "").split())
