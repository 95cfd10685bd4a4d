"""Drafts of local-editing records, drawn from the recipe's weights.

Additions and modifications are one kind of record with two names, as in VIVID-10M (Sec. 3.1): in
both the object that is in the footage is what a model must draw into the mask. A deletion borrows
the mask of an object of another source.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np

from catalog.errors import BadInput
from catalog.keys import digest
from catalog.media import fit_size
from catalog.records import Clip, LocalEdit, Track
from experts.local_edits.donors import MaskDonor, deletions, images, wanted
from experts.local_edits.rules import Records
from experts.plan.framing import Crop, widest

VERSION = "2"
"""Rises whenever the same clip and recipe may give other drafts."""


@dataclass(frozen=True, slots=True)
class DraftedClip:
    """A clip with its objects, the donors for its deletions, and the drafts of its records."""

    clip: Clip
    tracks: list[Track]
    donors: dict[str, MaskDonor]  # by track
    drafts: list[LocalEdit]
    drawable: frozenset[str]  # tracks whose label is in the footage's vocabulary


def draw(drafted: DraftedClip, rules: Records, seed: int) -> list[LocalEdit]:
    """The drafts of a clip's records: no mask, no captions yet.

    Raises BadInput for a clip below the recipe's length (`too_short`) or size (`too_small`).
    """
    clip = drafted.clip
    if min(clip.width, clip.height) < rules.min_lines:
        raise BadInput(
            "too_small",
            f"{clip.clip_id}: {clip.width}×{clip.height} px; records.min_lines asks for "
            f"{rules.min_lines} on the shorter side",
        )
    if clip.frames < rules.min_seconds * clip.fps:
        raise BadInput(
            "too_short",
            f"{clip.clip_id}: {clip.frames / clip.fps:.1f} s; records.min_seconds asks for "
            f"{rules.min_seconds:g}",
        )
    rng = np.random.default_rng(int(digest("draw", seed, clip.clip_id)[:16], 16))
    donors = cycle(drafted.donors.values())  # few lend more than once
    drafts = []
    for subset, count in (("video", rules.per_clip), ("image", images(rules))):
        removed = deletions(count, rules) if drafted.donors else 0
        drafts += _objects(drafted, subset, count - removed, rules, rng, seed)
        for donor in islice(donors, removed):
            drafts.append(_deletion(clip, donor, subset, rules, rng, seed))
    return drafts


def frame(clip: Clip, rules: Records) -> Crop:
    """What a record shows of a clip: everything, but for what its size cuts off."""
    return widest(clip, *size(clip, rules))


def size(clip: Clip, rules: Records) -> tuple[int, int]:
    """(height, width) of a clip's records: `lines` on the shorter side, or the clip's own."""
    scale = min(1.0, rules.lines / min(clip.width, clip.height))
    height, width = round(clip.height * scale), round(clip.width * scale)
    return fit_size(clip.width, clip.height, height, width)


def _objects(
    drafted: DraftedClip,
    subset: str,
    count: int,
    rules: Records,
    rng: np.random.Generator,
    seed: int,
) -> list[LocalEdit]:
    """Up to `count` different (task, object, kind of mask) by weight, without replacement."""
    clip = drafted.clip
    found = []
    for track in drafted.tracks:
        if track.track_id not in drafted.drawable:
            continue
        first, frames = track.first_frame, track.last_frame + 1 - track.first_frame
        if subset == "image":
            first, frames = 0, 1 if track.first_frame == 0 else 0
        elif frames < rules.min_seconds * clip.fps:
            continue
        if frames and wanted(track, rules, slice(first, first + frames)):
            found.append((track, first, frames))
    weights = {task: w for task, w in rules.weights.items() if task != "deletion"}
    choices = [(task, kind, *where) for task in weights for kind in rules.kinds for where in found]
    shares = np.array([weights[task] * rules.kinds[kind] for task, kind, *_ in choices])
    count = min(count, int(np.count_nonzero(shares)))
    if not count:
        return []
    picked = rng.choice(len(choices), size=count, replace=False, p=shares / shares.sum())
    drafts = []
    for task, kind, track, first, frames in (choices[i] for i in sorted(picked)):
        side = float(np.sqrt(track.area * np.prod(size(clip, rules))))
        fields = dict(
            task=task,
            track_id=track.track_id,
            label=track.label,
            first_frame=first,
            frames=frames,
            propagation="track" if subset == "video" else "",
        )
        drafts.append(_draft(clip, subset, kind, side, fields, rules, rng, seed))
    return drafts


def _deletion(
    clip: Clip, donor: MaskDonor, subset: str, rules: Records, rng: np.random.Generator, seed: int
) -> LocalEdit:
    kinds = [kind for kind in rules.kinds if rules.kinds[kind]]
    shares = np.array([rules.kinds[kind] for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    pasted = int(donor.frames / donor.clip.fps * clip.fps)  # as many frames of this clip
    follows = rng.random() < rules.background_share or pasted < rules.min_seconds * clip.fps
    frames = 1 if subset == "image" else clip.frames if follows else min(pasted, clip.frames)
    low, high = rules.paste_scale
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    side = scale * float(np.sqrt(donor.track.area * np.prod(size(clip, rules))))
    fields = dict(
        task="deletion",
        track_id=donor.track.track_id,
        label=donor.track.label,
        first_frame=0,
        frames=frames,
        propagation="" if subset == "image" else "background" if follows else "trajectory",
        params={
            "donor_clip": donor.clip.clip_id,
            "donor_first_frame": donor.first,
            "wanted_scale": round(scale, 4),
        },
    )
    return _draft(clip, subset, kind, side, fields, rules, rng, seed)


def _draft(
    clip: Clip,
    subset: str,
    kind: str,
    side: float,
    fields: dict[str, Any],
    rules: Records,
    rng: np.random.Generator,
    seed: int,
) -> LocalEdit:
    height, width = size(clip, rules)
    crop = frame(clip, rules)
    grow = max(1, round(side * float(rng.uniform(*rules.grow)))) if "expand" in kind else 0
    fields |= dict(
        clip_id=clip.clip_id,
        source_id=clip.source_id,
        subset=subset,
        video=clip.video,
        fps=clip.fps,
        crop=[crop.x, crop.y, crop.width, crop.height],
        width=width,
        height=height,
        mask_kind=kind,
        grow=grow,
        source_uri=clip.uri,
        author=clip.author,
        licence=clip.licence,
    )
    edit_id = digest("local_edit", seed, fields)
    return LocalEdit(edit_id=edit_id, seed=int(edit_id[:8], 16), **fields)
