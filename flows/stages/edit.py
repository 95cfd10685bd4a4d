"""Plans in, pairs of videos out: the expert makes one side, the other is the real footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog import media
from catalog.errors import BadInput
from catalog.keys import digest
from catalog.records import Clip, Plan, Track
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.tasks import TASKS, expert_for
from flows import journal, worker
from flows.context import Context
from flows.journal import Document
from flows.stages.plan import PlannedClip

STAGE = "edit"


@dataclass(frozen=True, slots=True)
class Side:
    """One video of a pair."""

    video: str  # media reference
    width: int
    height: int
    frames: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A plan carried out."""

    plan: Plan
    clip: Clip
    made: Side
    real: Side
    mask: str
    expert: str
    expert_version: str
    info: dict[str, Any]

    @property
    def made_side(self) -> str:
        """`source` or `target`: where in the pair the expert's output goes."""
        return TASKS[self.plan.task].made_side

    @property
    def source(self) -> Side:
        return self.made if self.made_side == "source" else self.real

    @property
    def target(self) -> Side:
        return self.made if self.made_side == "target" else self.real


@dataclass(frozen=True, slots=True)
class _Job:
    plan: Plan
    clip: Clip
    tracks: dict[str, Track]

    @property
    def track_ids(self) -> list[str]:
        """The tracks whose masks the edit works on."""
        if "tracks" in self.plan.params:
            return list(self.plan.params["tracks"])
        return [self.plan.track_id] if self.plan.track_id else []


def run(ctx: Context, shard: Sequence[PlannedClip]) -> list[Edit]:
    """The shard's edits, clip by clip."""
    jobs = [_Job(plan, p.clip, p.tracks) for p in shard for plan in p.plans]
    footage = _Footage(ctx)
    documents = journal.run(
        ctx,
        STAGE,
        jobs,
        key=lambda job: _key(ctx, job),
        work=lambda batch: [_edit(ctx, job, footage) for job in batch],
        name=lambda job: f"{job.plan.task} {job.plan.plan_id}",
    )
    return [
        Edit(
            plan=job.plan,
            clip=job.clip,
            made=Side(**document["made"]),
            real=Side(**document["real"]),
            mask=document["mask"],
            expert=document["expert"],
            expert_version=document["expert_version"],
            info=document["info"],
        )
        for job, document in documents
    ]


def _key(ctx: Context, job: _Job) -> str:
    """All that the pixels depend on. The task's name is not in it: an addition finds the edit that
    the removal of the same object made."""
    expert = expert_for(job.plan.task)
    plan = job.plan
    return digest(
        (expert.name, expert.version, job.clip.video, [job.tracks[t].masks for t in job.track_ids]),
        (plan.first_frame, plan.frames, plan.crop, plan.width, plan.height),
        (plan.seed, plan.params),
        (plan.prompt, plan.negative_prompt, media.CRF, ctx.recipe.plan.max_invented),
    )


class _Footage:
    """The last window of footage decoded and the last stored: a clip's edits share both."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._window: tuple[Any, ...] = ()
        self._frames: Frames = np.empty((0, 0, 0, 3), np.uint8)
        self._side: Side | None = None

    def frames(self, job: _Job) -> Frames:
        """The plan's window at the plan's size."""
        plan = job.plan
        window = (job.clip.video, plan.first_frame, plan.frames, *plan.crop, plan.height)
        if window != self._window:
            whole = media.read_video(
                self._ctx.catalog.path(job.clip.video), first=plan.first_frame, count=plan.frames
            )
            self._frames = _fitted(whole, plan)
            self._window, self._side = window, None
        return self._frames

    def stored(self, job: _Job) -> Side:
        """The same as a stored video."""
        frames = self.frames(job)
        if self._side is None:
            self._side = store(self._ctx, frames, job.clip.fps)
        return self._side


def store(ctx: Context, frames: Frames, fps: float) -> Side:
    """Encodes frames into the catalog's media."""
    with ctx.catalog.media.writing(".mp4") as out:
        media.write_video(out.path, frames, fps)
    count, height, width = frames.shape[:3]
    return Side(out.ref, width, height, count)


def _edit(ctx: Context, job: _Job, footage: _Footage) -> Document:
    plan = job.plan
    expert = worker.expert(plan.task)
    frames = footage.frames(job)
    instances = [_masks(ctx, job, job.tracks[track_id]) for track_id in job.track_ids]
    params: dict[str, Any] = dict(plan.params)
    if TASKS[plan.task].needs_track and not any(m.any() for m in instances):
        raise BadInput("no_mask", f"{plan.plan_id}: the object is outside the edit's crop")
    if "tracks" in params:
        params["instance_masks"] = instances
    if "donor" in params:
        params |= _donor(ctx, job)
    result = expert.edit(
        EditRequest(
            task=plan.task,
            frames=frames,
            masks=np.logical_or.reduce(instances) if instances else None,
            prompt=plan.prompt,
            negative_prompt=plan.negative_prompt,
            label=plan.label,
            seed=plan.seed,
            params=params,
        )
    )
    _refuse_invention(ctx, job, result)
    real = footage.stored(job)
    made = store(ctx, result.frames, job.clip.fps)
    return {
        "made": _fields(made),
        "real": _fields(real),
        "mask": _store_masks(ctx, result.masks, job.clip.fps),
        "expert": expert.name,
        "expert_version": expert.version,
        "info": dict(result.info),
    }


def _donor(ctx: Context, job: _Job) -> dict[str, Any]:
    """What a swap needs beside the footage: the donor's part of its own clip, with its masks, and
    the masks of what may hide the object."""
    plan, donor = job.plan, job.plan.params["donor"]
    x, y, width, height = donor["crop"]
    part = slice(None), slice(y, y + height), slice(x, x + width)
    window = {"first": donor["first_frame"], "count": plan.frames}
    read = [media.read_masks(ctx.catalog.path(ref), **window)[part] for ref in donor["masks"]]
    handed: dict[str, Any] = {
        "donor_frames": media.read_video(ctx.catalog.path(donor["video"]), **window)[part],
        "donor_masks": np.logical_or.reduce(read),
    }
    nearer = [_masks(ctx, job, job.tracks[track_id]) for track_id in plan.params["in_front"]]
    handed["in_front"] = np.logical_or.reduce(nearer) if nearer else None
    return handed


def _refuse_invention(ctx: Context, job: _Job, result: EditResult) -> None:
    """A small unseen place can be painted so that nobody notices, a large one cannot."""
    if result.masks is None:
        return
    # A swap covers most of what its removal invents: only what lies bare may be seen.
    invented = result.info.get("exposed", result.info.get("by_migan", 0.0)) * result.masks.mean()
    most = ctx.recipe.plan.max_invented
    if invented > most:
        raise BadInput(
            "background_unseen",
            f"{job.plan.plan_id}: {invented:.1%} of the picture was never seen behind the "
            f"{job.plan.label}; plan.max_invented allows {most:.1%}",
        )


def _fields(side: Side) -> Document:
    return {
        "video": side.video,
        "width": side.width,
        "height": side.height,
        "frames": side.frames,
    }


def _masks(ctx: Context, job: _Job, track: Track) -> Masks:
    plan = job.plan
    masks = media.read_masks(
        ctx.catalog.path(track.masks), first=plan.first_frame, count=plan.frames
    )
    return _fitted(masks, plan)


def _fitted(frames: np.ndarray, plan: Plan) -> np.ndarray:
    """What the plan shows of frames or masks, at its size."""
    x, y, width, height = plan.crop
    part = frames[:, y : y + height, x : x + width]
    return media.crop_resize(part, (plan.height, plan.width))


def _store_masks(ctx: Context, masks: Masks | None, fps: float) -> str:
    if masks is None:
        return ""
    with ctx.catalog.media.writing(".mkv") as out:
        media.write_masks(out.path, masks, fps)
    return out.ref
