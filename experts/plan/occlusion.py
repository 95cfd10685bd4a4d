"""Possible occlusions: which objects come so near another one that they may pass before or behind
it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.records import Track
from experts.plan.attached import attached
from experts.plan.framing import boxes_of

MARGIN = 0.5
"""Widths and heights of an object around it that count as near it."""


def occluders(track: Track, tracks: Sequence[Track], alive: slice) -> list[Track]:
    """Those of `tracks` that come near `track` over the frames `alive`, but for what is attached to
    it."""
    mine = {track.track_id, *(t.track_id for t in attached(track, tracks, alive))}
    return [t for t in tracks if t.track_id not in mine and near(track, t, alive).any()]


def near(track: Track, other: Track, alive: slice) -> NDArray[np.bool_]:
    """Per frame of `alive` whether `other` is near `track`."""
    own, boxes = boxes_of(track)[alive], boxes_of(other)[alive]
    margin = MARGIN * (own[:, 2:] - own[:, :2])
    low, high = own[:, :2] - margin, own[:, 2:] + margin
    overlaps = (np.minimum(high, boxes[:, 2:]) > np.maximum(low, boxes[:, :2])).all(1)
    return np.asarray((boxes[:, 2] > boxes[:, 0]) & overlaps)
