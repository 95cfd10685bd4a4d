"""The frames of pairs, as filters and the recipe's judge look at them: read once for a shard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import polars as pl

from catalog import media
from catalog.records import Track, from_row
from experts.base import Frames, Masks
from experts.edit.job import DecodedClip, Job, job_masks
from experts.edit.tasks import TASKS
from filters.base import FRAMES, PairFrames
from filters.samples import LONG_SIDE, pair_sample
from flows.runtime.context import Context
from flows.stages.edit import Edit
from flows.stages.instruct import InstructedEdit

T = TypeVar("T", Frames, Masks | None)

BUDGET = 256 << 20
"""Bytes of frames kept per shard: about forty videos of 17 frames, which are all of a shard of the
embedded recipe. What is beyond is decoded again."""


@dataclass(slots=True)
class ShardSamples:
    """Of one shard. With a `budget` of bytes, frames are kept for whoever asks again: the filters
    see all pairs of a shard before the judge sees the first, so the ones read first are kept, not
    the last ones."""

    ctx: Context
    budget: int = BUDGET
    _read: dict[str, Any] = field(default_factory=dict)  # by media reference, or plan
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, instructed: InstructedEdit) -> PairFrames:
        """The pair as filters see it."""
        edit = instructed.edit
        return pair_sample(
            task=edit.plan.task,
            source=self._sampled(edit.source.video),
            target=self._sampled(edit.target.video),
            masks=self._masks(edit),
            prompt=edit.plan.target_prompt,
            label=edit.plan.label,
            instruction=instructed.instruction,
            source_id=edit.clip.source_id,
            sizes=(
                (edit.source.height, edit.source.width),
                (edit.target.height, edit.target.width),
            ),
        )

    def _sampled(self, video: str) -> Frames:
        path = self.ctx.catalog.path(video)
        return self._kept(video, lambda: media.sample_frames(path, FRAMES, LONG_SIDE))

    def _masks(self, edit: Edit) -> Masks | None:
        named = edit.mask or edit.plan.plan_id  # of a grounding, or of a pair without any
        return self._kept(named, lambda: masks_of(self.ctx, edit))

    def _kept(self, name: str, read: Callable[[], T]) -> T:
        with self._lock:
            if name in self._read:
                found: T = self._read[name]
                return found
        found = read()
        size = 0 if found is None else found.nbytes
        with self._lock:
            if size <= self.budget and name not in self._read:
                self.budget -= size
                self._read[name] = found
        return found


def masks_of(ctx: Context, edit: Edit) -> Masks | None:
    """The pair's masks, [FRAMES, H, W] or all. A grounding stores none, since its map differs from
    the footage everywhere: it is judged by those of the objects it shows."""
    if edit.mask:
        return media.sample_masks(ctx.catalog.path(edit.mask), FRAMES)
    if not TASKS[edit.plan.task].needs_track:
        return None
    rows = ctx.catalog.tracks().filter(pl.col("clip_id") == edit.clip.clip_id).collect()
    tracks = {row["track_id"]: from_row(Track, row) for row in rows.iter_rows(named=True)}
    return job_masks(DecodedClip(ctx.catalog, ctx.catalog.media), Job(edit.plan, edit.clip, tracks))
