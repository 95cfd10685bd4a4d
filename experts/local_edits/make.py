"""A local-editing record made from its draft: mask, captions and motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog import media
from catalog.errors import BadInput
from catalog.records import LocalEdit, Track, to_row
from catalog.samples.local_edit import shown
from catalog.storage.media import MediaStore
from experts.annotate.motion import statistics as motion
from experts.annotate.motion.camera import accumulate
from experts.base import Masks
from experts.local_edits.captions import DELETION, LocalCaptioner, Region
from experts.local_edits.donors import MaskDonor
from experts.local_edits.draw import DraftedClip
from experts.local_edits.paste import find_place, paste, relative_to_first
from experts.local_edits.rules import Records
from experts.local_edits.working import WorkingClip
from experts.masks.kinds import augment
from experts.plan.framing import boxes_of

VERSION = "2"
"""Rises whenever the same draft may give another record."""

RIDER_OVERLAP = 0.4
"""Share of the smaller of two boxes inside the other that makes a person a rider."""


def inputs(drafted: DraftedClip, draft: LocalEdit) -> tuple[object, ...]:
    """All that a record depends on beside the recipe: its draft and the masks it is made from."""
    donor = drafted.donors.get(draft.track_id)
    masks = [track.masks for track in drafted.tracks]
    return to_row(draft), masks, donor.track.masks if donor else ""


def make(
    draft: LocalEdit,
    working: WorkingClip,
    store: MediaStore,
    rules: Records,
    captioner: LocalCaptioner,
) -> LocalEdit:
    """The finished record; its mask is written to `store`.

    Raises BadInput where there is no mask (`no_mask`), no room for it (`no_background`), or too
    much of the picture would be masked (`mask_too_large`).
    """
    if draft.task == "deletion":
        draft = _place(draft, working, rules)
    exact = exact_masks(draft, working)
    masks = augment(exact, draft.mask_kind, draft.grow)
    _refuse(draft, exact, masks, rules)
    with store.writing(".mkv") as out:
        media.write_masks(out.path, masks, draft.fps)
    if draft.task == "deletion":
        captions, by = (DELETION,) * 3, "fixed"
    else:
        made = captioner.captions(_region(draft, working, exact))
        captions = (made.short, made.medium, made.long)
        by = f"{captioner.name} {captioner.version}"
    window = slice(draft.first_frame, draft.first_frame + draft.frames - 1)
    moves = motion.measure(working.fields[window], media.crop_resize(masks, working.size))
    return dataclasses.replace(
        draft,
        mask=out.ref,
        mask_area=round(float(masks.mean()), 5),
        caption_short=captions[0],
        caption_medium=captions[1],
        caption_long=captions[2],
        caption_by=by,
        motion_foreground=round(moves.foreground, 3) if moves else None,
        motion_background=round(moves.background, 3) if moves else None,
        motion_relative=round(moves.relative, 3) if moves else None,
    )


def _refuse(draft: LocalEdit, exact: Masks, masks: Masks, rules: Records) -> None:
    if not exact[0].any():
        raise BadInput("no_mask", f"{draft.edit_id}: the object is not in the first frame")
    share = float(masks.mean())
    if share > rules.max_masked:
        raise BadInput(
            "mask_too_large",
            f"{draft.edit_id}: {share:.0%} would be masked; records.max_masked allows "
            f"{rules.max_masked:.0%}",
        )


def _place(draft: LocalEdit, working: WorkingClip, rules: Records) -> LocalEdit:
    """The draft with where its mask lies. Raises BadInput (`no_background`) where none is free."""
    donor = working.drafted.donors[draft.track_id]
    boxes = boxes_of(donor.track)[_donor_frames(draft, donor)]
    area = _area(boxes[0])
    fits = working.size[0] / donor.clip.height
    most = np.sqrt(rules.max_area * np.prod(working.size) / area)
    where = dataclasses.replace(working.background, free=working.background.free[: draft.frames])
    place = find_place(
        where,
        relative_to_first(boxes),
        accumulate(working.steps)[: draft.frames] if draft.propagation == "background" else None,
        min(float(draft.params["wanted_scale"]) * fits, float(most)),
        np.random.default_rng(draft.seed),
        rules.min_area,
    )
    if place is None:
        raise BadInput(
            "no_background",
            f"{draft.edit_id}: no calm place that no object crosses, for the mask of a "
            f"{draft.label}",
        )
    return dataclasses.replace(draft, params=draft.params | dataclasses.asdict(place))


def _area(box: NDArray[np.float64]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _donor_frames(draft: LocalEdit, donor: MaskDonor) -> NDArray[np.intp]:
    """Which frame of its own clip a pasted mask comes from, per frame of the record."""
    first = int(draft.params["donor_first_frame"])
    if draft.propagation != "trajectory":
        return np.full(draft.frames, first)
    ticks = np.arange(draft.frames) * donor.clip.fps / draft.fps
    return np.minimum(first + np.floor(ticks + 0.5).astype(int), first + donor.frames - 1)


def exact_masks(edit: LocalEdit, working: WorkingClip) -> Masks:
    """[T, H, W] of a record whose place, if it needs one, is known: all follows from its row, so
    this and :func:`experts.masks.kinds.augment` make its mask again."""
    size = (edit.height, edit.width)
    if edit.task != "deletion":
        track = working.tracks()[edit.track_id]
        masks = media.read_masks(
            working.catalog.path(track.masks), first=edit.first_frame, count=edit.frames
        )
        return shown(masks, edit.crop, size)
    donor = working.drafted.donors[edit.track_id]
    picked = _donor_frames(edit, donor)
    masks = media.read_masks(working.catalog.path(donor.track.masks))[picked]
    factor = edit.width / working.size[1]  # from the working size to the record's
    scale = float(edit.params["scale"])
    corner = boxes_of(donor.track)[picked[0], :2] * scale
    lay = np.array([[scale, 0, edit.params["x"]], [0, scale, edit.params["y"]], [0, 0, 1.0]])
    lay[:2, 2] -= corner
    path = np.tile(np.eye(3), (edit.frames, 1, 1))
    if edit.propagation == "background":
        path = accumulate(working.steps)[: edit.frames]
    matrices = (path @ lay)[:, :2]
    return paste(masks, matrices * factor, size)


def _region(draft: LocalEdit, working: WorkingClip, exact: Masks) -> Region:
    first, end = draft.first_frame, draft.first_frame + draft.frames
    return Region(
        label=draft.label,
        frames=working.frames[first:end],
        masks=media.crop_resize(exact, working.size),
        fps=draft.fps,
        camera=working.reliable_steps[first : end - 1],
        rides=_rides(working.tracks()[draft.track_id], working.drafted.tracks, (first + end) // 2),
    )


def _rides(track: Track, tracks: Sequence[Track], at: int) -> bool:
    """Whether a bicycle or motorcycle overlaps the object in frame `at`."""
    box = boxes_of(track)[at]
    for other in tracks:
        if other.label in ("bicycle", "motorcycle") and other is not track:
            bike = boxes_of(other)[at]
            both = np.concatenate([np.maximum(box[:2], bike[:2]), np.minimum(box[2:], bike[2:])])
            shared = _area(both) if (both[2:] > both[:2]).all() else 0.0
            if shared > RIDER_OVERLAP * min(_area(box), _area(bike)):
                return True
    return False
