"""What an edit shows of what its clip's caption says: an edit may be shorter and narrower."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from catalog.records import Clip, Track
from experts.annotate.captions.labels import caption, surely_named, tells_the_scene
from experts.annotate.clip import MASK_OF_BOX
from experts.annotate.detection.kinds import alike, counted
from experts.plan.framing import Crop, area_of, boxes_of

BY = "labels"
"""The captioner that counts tracks; what another one wrote is taken as it is."""


def shown_caption(clip: Clip, tracks: Sequence[Track], crop: Crop, alive: slice) -> str:
    """The clip's caption as it holds for the picture that `crop` shows over the frames `alive`:
    what is named is there for most of them. Empty where too little of it is to be seen, and where
    the clip has none."""
    if not clip.caption or clip.caption_by != BY:
        return clip.caption
    views = [(track, crop.view(boxes_of(track)[alive])) for track in tracks]
    sure = [
        (track, boxes)
        for track, boxes in views
        if surely_named(track.label, track.score, track.mean_score, track.area, clip.labels or None)
    ]
    lasting = [(track, boxes) for track, boxes in sure if 2 * boxes.any(1).sum() > len(boxes)]
    named = sum(MASK_OF_BOX * float(area_of(boxes).mean()) for _, boxes in lasting)
    if not tells_the_scene(named, 0.0):
        return ""
    counts = counted(Counter(track.label for track, _ in lasting))
    more = {
        label
        for label, count in counts.items()
        if _has_others(label, [track for track, _ in sure], crop, alive)
        or sum(alike(track.label, label) and boxes.any() for track, boxes in views) > count
    }
    return caption(counts, more)


def _has_others(label: str, tracks: Sequence[Track], crop: Crop, alive: slice) -> bool:
    """Whether the detector saw more of the kind in the picture than tracks follow: more than once,
    for one sighting may be a part of something."""
    for track in tracks:
        rivals = np.asarray(track.rivals, np.float64).reshape(-1, 5)
        during = (rivals[:, 0] >= alive.start) & (rivals[:, 0] < alive.stop)
        visible = crop.view(rivals[:, 1:]).any(1) & during
        if alike(track.label, label) and len(set(rivals[visible, 0])) > 1:
            return True
    return False
