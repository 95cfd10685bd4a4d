"""How an instruction refers to one object among others of its kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catalog.records import Track

APART = 0.12
"""Least distance, in frame widths, between the outermost object and the next one."""

MUCH_LARGER = 2.5
"""Area ratio from which anybody would call an object the large one."""


def refer(track: Track, tracks: Sequence[Track], width: int, alive: slice) -> str | None:
    """ "car", "car on the left", "large car": a phrase only this track answers to, over the frames
    `alive`; None if there is none. `width` is the frame's, px.
    """
    rivals = [t for t in tracks if t.label == track.label and t is not track and _seen(t, alive)]
    if not rivals:
        return track.label
    own = _centre(track, alive) / width
    others = [_centre(t, alive) / width for t in rivals]
    if own < 0.5 and own < min(others) - APART:
        return f"{track.label} on the left"
    if own > 0.5 and own > max(others) + APART:
        return f"{track.label} on the right"
    if track.area > MUCH_LARGER * max(t.area for t in rivals):
        return f"large {track.label}"
    return None


def _seen(track: Track, alive: slice) -> bool:
    return any(track.confidence[alive])


def _centre(track: Track, alive: slice) -> float:
    """Mean horizontal centre, px, over the frames where the object is."""
    boxes = np.asarray(track.boxes).reshape(-1, 4)[alive]
    boxes = boxes[boxes[:, 2] > boxes[:, 0]]
    return float((boxes[:, 0] + boxes[:, 2]).mean() / 2) if len(boxes) else 0.0
