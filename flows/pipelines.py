"""The two products, from sources to the last table: each a Prefect flow over shards.

    ingest → annotate → plan → edit → instruct → judge     pairs
    ingest → annotate → draw → local_edit                  local-editing records

Shards run side by side on `run.workers` threads: the heavy calls all release the interpreter lock,
and so share one copy of every model. Nothing but small records passes between tasks.

A worker that takes up a task waits for the tasks it depends on, so tasks are submitted in the order
in which they can run: a clip goes through all its stages before the next ones begin, and the first
pairs are judged while most clips are not annotated yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from prefect import flow

from catalog.records import Clip
from experts.local_edits.draw import with_donors
from experts.plan.donors import Bank
from flows.runtime.context import BuildRun, Context, context_of
from flows.runtime.stopping import stopped_by_signals
from flows.sources import local_files
from flows.sources.source import SourceFile
from flows.stages import annotate, bank, draw, ingest, local_edit, plan
from flows.stages.tasks import (
    annotate_shard,
    bank_shard,
    draw_shard,
    edit_shard,
    ingest_shard,
    instruct_shard,
    judge_shard,
    local_edit_shard,
    plan_shard,
    plan_swaps_shard,
)

R = TypeVar("R")

AHEAD = 1
"""Shards of sources per worker that are ingested before the clips of the first are taken up: more
would only keep the first pairs waiting."""


def shards(records: Sequence[R], size: int) -> list[Sequence[R]]:
    """Slices of at most `size` records."""
    return [records[i : i + size] for i in range(0, len(records), size)]


@flow(name="pairs", persist_result=False, validate_parameters=False)
def make_pairs(build: BuildRun) -> None:
    """Makes every pair that the recipe asks for."""
    ctx = context_of(build)
    with stopped_by_signals(ctx):  # again: Prefect has set a handler of its own by now
        _pairs(ctx)


def _pairs(ctx: Context) -> None:
    build = ctx.run
    swaps = bool(ctx.recipe.plan.weights.get("object_swap"))
    line = _Line(ctx)
    annotated: list[Any] = []
    banked: list[Any] = []
    for clips in _clips(ctx):
        for shard in shards(clips, ctx.recipe.run.shard_size):
            ctx.stats.expect(plan.STAGE, len(shard))
            annotated.append(annotate_shard.submit(build, shard))
            line.follow(plan_shard.submit(build, annotated[-1]))
            if swaps:
                ctx.stats.expect(bank.STAGE, len(shard))
                banked.append(bank_shard.submit(build, annotated[-1]))
    # A donor may come from any clip, so swaps are planned once all have been looked at.
    donors = Bank([candidate for future in banked for candidate in future.result()])
    for future in annotated if swaps else ():
        line.follow(plan_swaps_shard.submit(build, (future, donors)))
    line.finish()


@flow(name="local-edits", persist_result=False, validate_parameters=False)
def make_local_edits(build: BuildRun) -> None:
    """Makes every local-editing record that the recipe asks for."""
    ctx = context_of(build)
    with stopped_by_signals(ctx):  # as above
        _local_edits(ctx)


def _local_edits(ctx: Context) -> None:
    build = ctx.run
    rules, size = ctx.recipe.records, ctx.recipe.run.shard_size
    assert rules is not None
    annotated = [
        annotate_shard.submit(build, shard)
        for clips in _clips(ctx)
        for shard in shards(clips, size)
    ]
    # A deletion takes its mask from another source, so all must be annotated by now.
    found = [clip for future in annotated for clip in future.result()]
    lent = with_donors(found, rules, ctx.recipe.seed)
    ctx.stats.expect(draw.STAGE, len(lent))
    drawn = [draw_shard.submit(build, shard) for shard in shards(lent, size)]
    made = [local_edit_shard.submit(build, shard) for shard in drawn]
    for future in drawn:
        ctx.stats.expect(local_edit.STAGE, sum(len(clip.drafts) for clip in future.result()))
    for future in made:
        future.result()


def _clips(ctx: Context) -> Iterator[Sequence[Clip]]:
    """The clips of each shard of sources, as they come; a bounded number of shards is ahead."""
    sources: list[SourceFile] = ingest.distinct(ctx, local_files(ctx.recipe.sources))
    ctx.stats.expect(ingest.STAGE, len(sources))
    submitted: deque[Any] = deque()
    for shard in shards(sources, ctx.recipe.run.shard_size):
        submitted.append(ingest_shard.submit(ctx.run, shard))
        if len(submitted) > AHEAD * ctx.recipe.run.workers:
            yield _expected(ctx, submitted.popleft().result())
    while submitted:
        yield _expected(ctx, submitted.popleft().result())


def _expected(ctx: Context, clips: Sequence[Clip]) -> Sequence[Clip]:
    ctx.stats.expect(annotate.STAGE, len(clips))
    return clips


class _Line:
    """Submits what follows a shard of plans: edit, instruct, judge.

    The writer works on one core. Its turn comes a few shards later, and so it shares the time with
    the experts instead of holding up a worker that has nothing else to do.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lag = ctx.recipe.run.workers - 1
        self._edited: deque[Any] = deque()
        self._judged: list[Any] = []

    def follow(self, planned: Any) -> None:
        """The stages after a shard of plans, given its future."""
        self._edited.append(edit_shard.submit(self._ctx.run, planned))
        if len(self._edited) > self._lag:
            self._judge(self._edited.popleft())

    def finish(self) -> None:
        """Waits for everything. Raises what the first failed task raised."""
        while self._edited:
            self._judge(self._edited.popleft())
        for future in self._judged:
            future.result()

    def _judge(self, edited: Any) -> None:
        instructed = instruct_shard.submit(self._ctx.run, edited)
        self._judged.append(judge_shard.submit(self._ctx.run, instructed))
