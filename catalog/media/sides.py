"""Whether two videos can be the sides of one pair."""

from __future__ import annotations

from pathlib import Path

from catalog import media
from catalog.errors import BadInput

SHAPES = 0.02
"""By how much the aspects of two sides, or of a video and its masks, may differ."""


def probe(source: Path, target: Path) -> tuple[media.VideoInfo, media.VideoInfo]:
    """What both sides are. They correspond frame by frame; their sizes may differ.

    Raises BadInput for videos that cannot be read or do not belong together: `length_mismatch`,
    `shape_mismatch`.
    """
    before, after = media.probe(source), media.probe(target)
    if before.frames != after.frames:
        raise BadInput(
            "length_mismatch",
            f"{source} has {before.frames} frames, {target} {after.frames}; "
            "cut them to the same frames",
        )
    if abs(before.width / before.height / (after.width / after.height) - 1) > SHAPES:
        raise BadInput(
            "shape_mismatch",
            f"{source} is {before.width}×{before.height}, {target} "
            f"{after.width}×{after.height}; crop them to the same picture",
        )
    return before, after
