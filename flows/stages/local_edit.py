"""Drafts in, local-editing records out: their masks, captions and motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from catalog import media
from catalog.errors import BadInput
from catalog.keys import digest
from catalog.local_edits import shown
from catalog.query import Queries
from catalog.records import LocalEdit, Track, from_row, to_row
from experts.annotate import motion
from experts.annotate.flow import Flow
from experts.annotate.motion import Similarity
from experts.base import Frames, Masks
from experts.masks.kinds import augment
from experts.masks.paste import Ground, find_place, ground, paste, travel
from experts.plan.framing import boxes_of
from experts.write.captions.region import DELETION, LocalCaptioner, MeasuredCaptioner, Region
from flows.recipe import Records
from flows.runtime import journal
from flows.runtime.context import Context
from flows.runtime.journal import Document
from flows.stages.draw import Donor, Scene

STAGE = "local_edit"
VERSION = "1"
"""Rises whenever the same draft may give another record."""

TRUE_CAMERA = 0.8
"""Share of the background that must move as the camera is said to; else nothing is said of where
an object goes, for it might be the camera that passes it."""

RIDES = 0.4
"""Share of the smaller of two boxes inside the other that makes a person a rider."""


def run(ctx: Context, shard: Sequence[Scene]) -> list[LocalEdit]:
    """The shard's records."""
    rules = ctx.recipe.records
    assert rules is not None
    captioner = MeasuredCaptioner()
    jobs = [(scene, draft) for scene in shard for draft in scene.drafts]
    footage = {scene.clip.clip_id: Footage(ctx.catalog, scene) for scene in shard}
    documents = journal.run(
        ctx,
        STAGE,
        jobs,
        key=lambda job: digest(VERSION, captioner.version, *_inputs(*job), rules.max_masked),
        work=lambda batch: [
            _make(ctx, draft, footage[scene.clip.clip_id], rules, captioner)
            for scene, draft in batch
        ],
        name=lambda job: f"{job[1].task} {job[1].subset} {job[1].edit_id}",
    )
    edits = [from_row(LocalEdit, document["edit"]) for _, document in documents]
    ctx.catalog.tables.merge("local_edits", edits)
    return edits


def _inputs(scene: Scene, draft: LocalEdit) -> tuple[object, ...]:
    donor = scene.donors.get(draft.track_id)
    masks = [track.masks for track in scene.tracks]
    return to_row(draft), masks, donor.track.masks if donor else ""


class Footage:
    """A clip at the working size, read when first needed, for all its records."""

    def __init__(self, catalog: Queries, scene: Scene) -> None:
        self.catalog = catalog
        self.scene = scene
        draft = scene.drafts[0] if scene.drafts else None
        self.crop = draft.crop if draft else [0, 0, scene.clip.width, scene.clip.height]
        self.size = motion.working_size(*self.crop[2:])

    def tracks(self) -> dict[str, Track]:
        return {track.track_id: track for track in self.scene.tracks}

    @cached_property
    def frames(self) -> Frames:
        """[T, h, w, 3] of the whole clip."""
        video = self.catalog.path(self.scene.clip.video)
        pictures = (shown(f[None], self.crop, self.size)[0] for f in media.iter_frames(video))
        return np.stack(list(pictures))

    @cached_property
    def occupied(self) -> Masks:
        """[T, h, w], where any object is."""
        taken = np.zeros(self.frames.shape[:3], bool)
        for track in self.scene.tracks:
            masks = media.read_masks(self.catalog.path(track.masks))
            taken |= shown(masks, self.crop, self.size)
        return taken

    @cached_property
    def fields(self) -> list[Flow]:
        return motion.flows(self.frames)

    @cached_property
    def steps(self) -> list[Similarity]:
        """The camera's motion, T − 1."""
        return motion.camera(self.fields, self.occupied)

    @cached_property
    def told(self) -> list[Similarity]:
        """The same, or nothing where no single motion is the camera's."""
        true = motion.agreement(self.fields, self.steps, self.occupied) >= TRUE_CAMERA
        return self.steps if true else []

    @cached_property
    def ground(self) -> Ground:
        return ground(self.frames, self.occupied, self.fields, self.steps)


def _make(
    ctx: Context, draft: LocalEdit, footage: Footage, rules: Records, captioner: LocalCaptioner
) -> Document:
    if draft.task == "deletion":
        draft = _place(draft, footage, rules)
    exact = exact_masks(draft, footage)
    masks = augment(exact, draft.mask_kind, draft.grow)
    _refuse(draft, exact, masks, rules)
    with ctx.catalog.media.writing(".mkv") as out:
        media.write_masks(out.path, masks, draft.fps)
    if draft.task == "deletion":
        captions, by = (DELETION,) * 3, "fixed"
    else:
        made = captioner.captions(_region(draft, footage, exact))
        captions = (made.short, made.medium, made.long)
        by = f"{captioner.name} {captioner.version}"
    window = slice(draft.first_frame, draft.first_frame + draft.frames - 1)
    moves = motion.measure(footage.fields[window], media.crop_resize(masks, footage.size))
    edit = dataclasses.replace(
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
    return {"edit": to_row(edit)}


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


def _place(draft: LocalEdit, footage: Footage, rules: Records) -> LocalEdit:
    """The draft with where its mask lies. Raises BadInput (`no_background`) where none is free."""
    donor = footage.scene.donors[draft.track_id]
    boxes = boxes_of(donor.track)[_donor_frames(draft, donor)]
    area = _area(boxes[0])
    fits = footage.size[0] / donor.clip.height
    most = np.sqrt(rules.max_area * np.prod(footage.size) / area)
    where = dataclasses.replace(footage.ground, free=footage.ground.free[: draft.frames])
    place = find_place(
        where,
        travel(boxes),
        motion.chain(footage.steps)[: draft.frames] if draft.propagation == "background" else None,
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


def _donor_frames(draft: LocalEdit, donor: Donor) -> NDArray[np.intp]:
    """Which frame of its own clip a pasted mask comes from, per frame of the record."""
    first = int(draft.params["donor_first_frame"])
    if draft.propagation != "trajectory":
        return np.full(draft.frames, first)
    ticks = np.arange(draft.frames) * donor.clip.fps / draft.fps
    return np.minimum(first + np.floor(ticks + 0.5).astype(int), first + donor.frames - 1)


def exact_masks(edit: LocalEdit, footage: Footage) -> Masks:
    """[T, H, W] of a record whose place, if it needs one, is known: all follows from its row, so
    this and :func:`experts.masks.kinds.augment` make its mask again."""
    size = (edit.height, edit.width)
    if edit.task != "deletion":
        track = footage.tracks()[edit.track_id]
        masks = media.read_masks(
            footage.catalog.path(track.masks), first=edit.first_frame, count=edit.frames
        )
        return shown(masks, edit.crop, size)
    donor = footage.scene.donors[edit.track_id]
    picked = _donor_frames(edit, donor)
    masks = media.read_masks(footage.catalog.path(donor.track.masks))[picked]
    factor = edit.width / footage.size[1]  # from the working size to the record's
    scale = float(edit.params["scale"])
    corner = boxes_of(donor.track)[picked[0], :2] * scale
    lay = np.array([[scale, 0, edit.params["x"]], [0, scale, edit.params["y"]], [0, 0, 1.0]])
    lay[:2, 2] -= corner
    path = np.tile(np.eye(2, 3), (edit.frames, 1, 1))
    if edit.propagation == "background":
        path = motion.chain(footage.steps)[: edit.frames]
    matrices = path @ lay
    return paste(masks, matrices * factor, size)


def _region(draft: LocalEdit, footage: Footage, exact: Masks) -> Region:
    first, end = draft.first_frame, draft.first_frame + draft.frames
    return Region(
        label=draft.label,
        frames=footage.frames[first:end],
        masks=media.crop_resize(exact, footage.size),
        fps=draft.fps,
        camera=footage.told[first : end - 1],
        rides=_rides(footage.tracks()[draft.track_id], footage.scene.tracks, (first + end) // 2),
    )


def _rides(track: Track, tracks: Sequence[Track], at: int) -> bool:
    """Whether a bicycle or motorcycle overlaps the object in frame `at`."""
    box = boxes_of(track)[at]
    for other in tracks:
        if other.label in ("bicycle", "motorcycle") and other is not track:
            bike = boxes_of(other)[at]
            both = np.concatenate([np.maximum(box[:2], bike[:2]), np.minimum(box[2:], bike[2:])])
            shared = _area(both) if (both[2:] > both[:2]).all() else 0.0
            if shared > RIDES * min(_area(box), _area(bike)):
                return True
    return False
