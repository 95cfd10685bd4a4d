"""One plan carried out: its window of footage, its masks, and what the expert makes of them.

The edit stage and `editmill rebuild` both come through here, so that what one made the other makes
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog import media
from catalog.errors import BadInput
from catalog.media.image import Transparent, read_transparent
from catalog.query import Queries
from catalog.records import Clip, Plan, Track
from catalog.storage.media import MediaStore
from experts.base import EditRequest, EditResult, Expert, Frames, Masks
from experts.edit.remover import TemporalContext
from experts.edit.tasks import TASKS
from experts.masks.geometry import merged
from experts.memory import using


@dataclass(frozen=True, slots=True)
class Side:
    """One video of a pair."""

    video: str  # media reference
    width: int
    height: int
    frames: int


@dataclass(frozen=True, slots=True)
class Job:
    """A plan with the clip and the tracks it speaks of."""

    plan: Plan
    clip: Clip
    tracks: dict[str, Track]

    @property
    def track_ids(self) -> list[str]:
        """The tracks whose masks the edit works on."""
        if "tracks" in self.plan.params:
            return list(self.plan.params["tracks"])
        return [self.plan.track_id] if self.plan.track_id else []

    @property
    def media(self) -> list[str]:
        """References of all it is made from, of a swap's donor too."""
        donor = self.plan.params.get("donor", {})
        used = [*self.track_ids, *self.plan.params.get("others", ())]
        masks = [self.tracks[t].masks for t in used if t in self.tracks]
        return [
            self.clip.video,
            *masks,
            *donor.get("masks", ()),
            *filter(None, [donor.get("video"), self.plan.params.get("background")]),
        ]


KEPT_BYTES = 1 << 30
"""Of a decoded clip that is kept for all its edits: 64 frames of 1080p are 400 MB. Of a longer one
each window is decoded by itself."""

NO_FRAMES: Frames = np.empty((0, 0, 0, 3), np.uint8)


class DecodedClip:
    """The last clip decoded, and its last window as it was shown and stored: a clip's edits share
    them, so its video is decoded once."""

    def __init__(
        self, catalog: Queries, store: MediaStore, *, kept_bytes: int = KEPT_BYTES
    ) -> None:
        """Reads from `catalog`, writes to `store`."""
        self._catalog = catalog
        self._store = store
        self._kept_bytes = kept_bytes
        self._clip: tuple[str, Frames] = "", NO_FRAMES
        self._window: tuple[Any, ...] = ()
        self._frames: Frames = NO_FRAMES
        self._side: Side | None = None

    def frames(self, job: Job) -> Frames:
        """The plan's window at the plan's size, [T, H, W, 3]."""
        plan = job.plan
        window = (job.clip.video, plan.first_frame, plan.frames, *plan.crop, plan.height)
        if window != self._window:
            self._frames = _fitted(self._decoded(job.clip, plan.first_frame, plan.frames), plan)
            self._window, self._side = window, None
        return self._frames

    def stored(self, job: Job) -> Side:
        """The same as a stored video."""
        frames = self.frames(job)
        if self._side is None:
            self._side = store_video(self._store, frames, job.clip.fps)
        return self._side

    def masks(
        self,
        job: Job,
        track_ids: Sequence[str] | None = None,
        window: tuple[int, int] | None = None,
    ) -> list[Masks]:
        """Per track of the job, or of these, its masks [T, H, W] in the plan's window or in another
        one (first frame, frames)."""
        first, count = (job.plan.first_frame, job.plan.frames) if window is None else window
        return [
            _fitted(
                media.read_masks(self._catalog.path(job.tracks[track_id].masks), first, count),
                job.plan,
            )
            for track_id in (job.track_ids if track_ids is None else track_ids)
        ]

    def span(self, job: Job) -> TemporalContext:
        """The longer stretch of footage that the plan's `span` names, at the plan's size."""
        first, count = window = _span(job.plan)
        whole = self._decoded(job.clip, first, count)
        masks = merged(self.masks(job, window=window))
        return TemporalContext(_fitted(whole, job.plan), masks, job.plan.first_frame - first)

    def background(self, job: Job) -> Transparent:
        """What the plan shows of the shot's still background, at its size, [H, W, 4]."""
        picture = read_transparent(self._catalog.path(job.plan.params["background"]))
        fitted: Transparent = _fitted(picture[None], job.plan)[0]
        return fitted

    def _decoded(self, clip: Clip, first: int, count: int) -> Frames:
        """A stretch of the clip at its own size, [count, H, W, 3]."""
        if self._clip[0] != clip.video:
            path = self._catalog.path(clip.video)
            if clip.frames * clip.height * clip.width * 3 > self._kept_bytes:
                return media.read_video(path, first=first, count=count)
            # The last one's memory is the next one's; a window at its own size is a view of it.
            self._clip, self._window, self._frames = ("", NO_FRAMES), (), NO_FRAMES
            self._clip = clip.video, media.read_video(path)
        return self._clip[1][first : first + count]

    def donor(self, job: Job) -> dict[str, Any]:
        """What a swap needs beside the footage: the donor's part of its own clip, with its masks,
        and the masks of what may hide the object."""
        donor = job.plan.params["donor"]
        x, y, width, height = donor["crop"]
        part = slice(None), slice(y, y + height), slice(x, x + width)
        window = {"first": donor["first_frame"], "count": job.plan.frames}
        masks = [media.read_masks(self._catalog.path(m), **window)[part] for m in donor["masks"]]
        nearer = self.masks(job, job.plan.params["in_front"])
        return {
            "donor_frames": media.read_video(self._catalog.path(donor["video"]), **window)[part],
            "donor_masks": merged(masks),
            "in_front": merged(nearer) if nearer else None,
        }


def carry_out(job: Job, footage: DecodedClip, expert: Expert) -> EditResult:
    """What `expert` makes of the job; it is loaded first if need be.

    Raises BadInput (`no_mask`) where the object is not in the plan's crop, and whatever the expert
    refuses.
    """
    plan = job.plan
    frames, instances = footage.frames(job), footage.masks(job)
    params: dict[str, Any] = dict(plan.params)
    if TASKS[plan.task].needs_track and not any(m.any() for m in instances):
        raise BadInput("no_mask", f"{plan.plan_id}: the object is outside the edit's crop")
    if "tracks" in params:
        params["instance_masks"] = instances
    if "others" in params:
        params["others"] = footage.masks(job, params["others"], _span(plan))
    if "span" in params:
        params["context"] = footage.span(job)
    if "background" in params:
        params["background"] = footage.background(job)
    if "donor" in params:
        params |= footage.donor(job)
    request = EditRequest(
        task=plan.task,
        frames=frames,
        masks=merged(instances) if instances else None,
        prompt=plan.prompt,
        negative_prompt=plan.negative_prompt,
        label=plan.label,
        seed=plan.seed,
        params=params,
    )
    with using(expert):
        return expert.edit(request)


def job_masks(footage: DecodedClip, job: Job) -> Masks:
    """Where any of the job's objects is: bool [T, H, W]."""
    masks: Masks = merged(footage.masks(job))
    return masks


def refuse_invention(plan: Plan, result: EditResult, most: float) -> None:
    """Raises BadInput (`background_unseen`) where more than the share `most` of the picture had to
    be invented: a small unseen place can be painted so that nobody notices, a large one cannot."""
    if result.masks is None:
        return
    # A swap covers most of what its removal invents: only what lies bare may be seen.
    masked = np.count_nonzero(result.masks) / result.masks.size  # `mean` takes nine times as long
    share = result.info.get("exposed", result.info.get("by_migan", 0.0)) * masked
    if share > most:
        raise BadInput(
            "background_unseen",
            f"{plan.plan_id}: {share:.1%} of the picture was never seen behind the {plan.label}; "
            f"plan.max_invented allows {most:.1%}",
        )


def refuse_poor_fill(plan: Plan, result: EditResult, most: float) -> None:
    """Raises BadInput (`background_unpredictable`) where what lies behind a removed object is
    expected to be off by more than `most` dB: no candidate predicts what is seen beside it."""
    error = result.info.get("fill_error")
    if error is not None and error > most:
        raise BadInput(
            "background_unpredictable",
            f"{plan.plan_id}: what lies behind the {plan.label} is expected to be off by "
            f"{error:.1f} dB; plan.max_fill_error allows {most:.1f}",
        )


def store_video(store: MediaStore, frames: Frames, fps: float) -> Side:
    """Encodes frames into media."""
    with store.writing(".mp4") as out:
        media.write_video(out.path, frames, fps)
    count, height, width = frames.shape[:3]
    return Side(out.ref, width, height, count)


def store_masks(store: MediaStore, masks: Masks | None, fps: float) -> str:
    """The reference of stored masks; empty for None."""
    if masks is None:
        return ""
    with store.writing(".mkv") as out:
        media.write_masks(out.path, masks, fps)
    return out.ref


def _span(plan: Plan) -> tuple[int, int]:
    """First frame and frames of what the expert looks at: the plan's window, or more around it."""
    first, count = plan.params.get("span", (plan.first_frame, plan.frames))
    return first, count


def _fitted(frames: np.ndarray, plan: Plan) -> np.ndarray:
    """What the plan shows of frames or masks, at its size."""
    x, y, width, height = plan.crop
    part = frames[:, y : y + height, x : x + width]
    return media.crop_resize(part, (plan.height, plan.width))
