"""Whether two videos can be the sides of one pair."""

from __future__ import annotations

from pathlib import Path

from catalog import media
from catalog.errors import BadInput

SHAPES = 0.02
"""By how much the aspects of two sides, or of a video and its masks, may differ, beside what
rounding does."""

ROUNDED = 1
"""px by which a length may be off: 4:2:0 chroma needs even ones. On the small side of an upscaling
pair it is much: 640 × 360 becomes 80 × 44."""

SMALL_SIDE = 32
"""px, least width and height of a source: half of a video's, as the least of an upscaling pair's
(:mod:`experts.edit.degrade.upscaling`). It is compared at its target's size."""


def probe(source: Path, target: Path) -> tuple[media.VideoInfo, media.VideoInfo]:
    """What both sides are. They correspond frame by frame; their sizes may differ.

    Raises BadInput for videos that cannot be read, are too small or do not belong together:
    `length_mismatch`, `shape_mismatch`.
    """
    before, after = media.probe(source, SMALL_SIDE), media.probe(target)
    if before.frames != after.frames:
        raise BadInput(
            "length_mismatch",
            f"{source} has {before.frames} frames, {target} {after.frames}; "
            "cut them to the same frames",
        )
    if not one_shape((before.width, before.height), (after.width, after.height)):
        raise BadInput(
            "shape_mismatch",
            f"{source} is {before.width}×{before.height}, {target} "
            f"{after.width}×{after.height}; crop them to the same picture",
        )
    return before, after


def one_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes (width, height), px, are of one picture: their aspects differ by SHAPES and
    by rounding at most."""
    rounding = ROUNDED * max(1 / width + 1 / height for width, height in (one, other))
    return abs(one[0] / one[1] / (other[0] / other[1]) - 1) <= SHAPES + rounding
