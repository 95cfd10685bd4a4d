"""Objects attached to another one: whoever removes a person removes the bag in their hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catalog.records import Track

THINGS = frozenset(("handbag", "backpack", "umbrella", "tie", "suitcase", "cell phone"))
"""COCO labels of what people carry."""

WITHIN = 0.5
"""Share of a thing's box inside the person's, in the median frame, that makes it theirs."""


def attached(track: Track, tracks: Sequence[Track], alive: slice) -> list[Track]:
    """The tracks of what a person carries over the frames `alive`; none for other objects than
    people."""
    if track.label != "person":
        return []
    return [t for t in tracks if t.label in THINGS and _share_within(t, track, alive) >= WITHIN]


def _share_within(thing: Track, person: Track, alive: slice) -> float:
    a, b = (np.asarray(t.boxes).reshape(-1, 4)[alive] for t in (thing, person))
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    both = np.clip(sides, 0, None).prod(1)
    own = (a[:, 2:] - a[:, :2]).prod(1)
    return float(np.median(both / np.maximum(own, 1.0)))
