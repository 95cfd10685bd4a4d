"""Which objects lend their masks to a clip's deletions: some of other sources.

All that may lend lie on a circle, each at a hash of its own, and a clip has a place there for each
deletion: it borrows from the next one that is of another source and that it has not borrowed from.
So each is as likely as any other, more footage changes few of the choices, and to choose is to look
into an index, however many there are (:mod:`flows.stages.local_edits.mask_index`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from catalog.keys import digest
from catalog.records import Clip, Track
from experts.annotate.clip import AnnotatedClip
from experts.local_edits.rules import Records
from experts.plan.framing import Crop, boxes_of


@dataclass(frozen=True, slots=True)
class MaskDonor:
    """An object whose mask may be pasted: it is in one piece for `frames` frames from `first`."""

    clip: Clip
    track: Track
    first: int
    frames: int


def donors_of(annotated: AnnotatedClip, rules: Records) -> list[MaskDonor]:
    """The clip's objects that may lend their masks."""
    found = (_donor(annotated.clip, track, rules) for track in annotated.named)
    return [donor for donor in found if donor is not None]


def place_of(track_id: str) -> str:
    """Where on the circle an object lies: a hash in lower-case hexadecimal."""
    return digest("donor", track_id)


def places_from(clip_id: str, rules: Records, seed: int) -> list[str]:
    """From where on the circle a clip looks for donors, one for each of its deletions."""
    count = deletions(rules.per_clip, rules) + deletions(images(rules), rules)
    return [digest("donor of", seed, clip_id, k) for k in range(count)]


def images(rules: Records) -> int:
    return round(rules.per_clip * rules.images_per_video)


def deletions(count: int, rules: Records) -> int:
    return round(count * rules.weights.get("deletion", 0) / sum(rules.weights.values()))


def wanted(track: Track, rules: Records, alive: slice) -> bool:
    found = track.score >= rules.min_score
    sure = float(np.mean(track.confidence[alive])) >= rules.min_confidence
    return found and sure and rules.min_area <= track.area <= rules.max_area


def _donor(clip: Clip, track: Track, rules: Records) -> MaskDonor | None:
    """The longest stretch in which the object is whole; none for what hardly shows."""
    if not wanted(track, rules, slice(track.first_frame, track.last_frame + 1)):
        return None
    all_of_it = Crop(0, 0, clip.width, clip.height, (clip.width, clip.height))
    best, start = (0, 0), 0
    for k, box in enumerate(boxes_of(track)):
        if box[2] <= box[0] or all_of_it.leaves(box):
            start = k + 1
        elif k + 1 - start > best[1]:
            best = (start, k + 1 - start)
    return MaskDonor(clip, track, *best) if best[1] else None
