"""What goes together: whoever removes a person removes the bag in their hand, and who removes a
motorcycle removes its rider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catalog.records import Track
from experts.plan.framing import Boxes, area_of, boxes_of

THINGS = frozenset(("handbag", "backpack", "umbrella", "tie", "suitcase", "cell phone"))
"""COCO labels of what people carry."""

MOUNTS = frozenset(
    ("bicycle", "motorcycle", "horse", "elephant", "skateboard", "snowboard", "surfboard", "skis")
)
"""COCO labels of what people ride or stand on."""

WITHIN = 0.5
"""Share of a thing's box inside the person's, in the median frame, that makes it theirs."""

ASTRIDE = 0.7
"""Share of a mount's width that its rider's box overlaps, or of the rider's, where that is less:
seen from the side a motorcycle is wider than who rides it, from the front it is not."""

TOGETHER = 0.15
"""How far, in heights of the person, a rider moves against the mount while both are seen. A
pedestrian who passes a parked bicycle moves by more."""


def attached(track: Track, tracks: Sequence[Track], alive: slice) -> list[Track]:
    """The tracks that go with `track` over the frames `alive`: a person's things and mount, a
    mount's rider with their things; none for other objects."""
    riders: list[Track] = []
    if track.label in MOUNTS:
        riders = [t for t in tracks if t.label == "person" and _rides(t, track, alive)]
        people = riders
    elif track.label == "person":
        people = [track]
    else:
        return []
    mounts = [
        t
        for t in tracks
        if t.label in MOUNTS and t is not track and any(_rides(p, t, alive) for p in people)
    ]
    things = [
        t
        for t in tracks
        if t.label in THINGS and any(_share_within(t, p, alive) >= WITHIN for p in people)
    ]
    return [*riders, *mounts, *things]


def _rides(person: Track, mount: Track, alive: slice) -> bool:
    """Whether the person is on the mount: above its lower edge, over its width, and moving with
    it."""
    a, b = boxes_of(person)[alive], boxes_of(mount)[alive]
    both = (area_of(a) > 0) & (area_of(b) > 0)
    if 2 * both.sum() < len(both):
        return False
    a, b = a[both], b[both]
    height = float(np.median(a[:, 3] - a[:, 1]))
    apart = _centres(a) - _centres(b)
    return bool(
        np.median(_width_shared(a, b)) >= ASTRIDE
        and np.median(apart[:, 1]) < 0  # its centre is the lower one
        and np.median(a[:, 3] - b[:, 1]) > 0  # and they touch
        and np.median(a[:, 3] - b[:, 3]) < 0.1 * height  # feet are on it, not before it
        and np.abs(apart - np.median(apart, axis=0)).max() < TOGETHER * height
    )


def _centres(boxes: Boxes) -> Boxes:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _width_shared(a: Boxes, b: Boxes) -> Boxes:
    shared = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    return shared / np.maximum(np.minimum(a[:, 2] - a[:, 0], b[:, 2] - b[:, 0]), 1.0)


def _share_within(thing: Track, person: Track, alive: slice) -> float:
    a, b = (boxes_of(t)[alive] for t in (thing, person))
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    both = np.clip(sides, 0, None).prod(1)
    return float(np.median(both / np.maximum(area_of(a), 1.0)))
