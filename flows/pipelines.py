"""The two products, from sources to the last table: each a Prefect flow over shards.

    fetch → look → ingest → annotate → plan → edit → instruct → judge     pairs
    fetch → look → ingest → annotate → draw → local_edit                  local-editing records

Shards run side by side on `run.workers` threads: the heavy calls all release the interpreter lock,
and so share one copy of every model. Nothing but small records passes between tasks.

Of the tasks that can begin, a worker takes up the one submitted first: a clip goes through all its
stages before the next ones begin, and the first pairs are judged while most clips are not annotated
yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from prefect import flow

from catalog.records import Clip
from flows.runtime.context import BuildRun
from flows.runtime.results.answers import KeptAnswers
from flows.runtime.running.batches import in_batches
from flows.runtime.running.work import Work, work_of
from flows.runtime.shard import Shard
from flows.runtime.stopping.by_signals import stopped_by_signals
from flows.sources import listing
from flows.sources.copies import joined
from flows.sources.source import RemoteVideo, SourceFile
from flows.stages import bank, plan
from flows.stages.clips import annotate, fetch, ingest, look
from flows.stages.clips.distinct import Distinct
from flows.stages.clips.look import Look
from flows.stages.donor_index import DonorIndex
from flows.stages.local_edits import draw, local_edit
from flows.stages.local_edits.mask_index import BorrowingClip, MaskIndex
from flows.stages.tasks import (
    annotate_shard,
    bank_shard,
    draw_shard,
    edit_shard,
    fetch_shard,
    ingest_shard,
    instruct_shard,
    judge_shard,
    local_edit_shard,
    look_shard,
    plan_donated_swaps_shard,
    plan_shard,
    plan_swaps_shard,
)

R = TypeVar("R")

AHEAD = 1
"""Shards of sources per worker that are ingested before the clips of the first are taken up: more
would only keep the first pairs waiting."""


IN_LINE = 8
"""Shards of plans per worker that are being edited, instructed and judged, or wait for it."""


def shards(records: Sequence[R], size: int) -> list[Shard[R]]:
    """Slices of at most `size` records."""
    return [Shard(records[i : i + size]) for i in range(0, len(records), size)]


def _in_shards(records: Iterator[R], size: int) -> Iterator[Shard[R]]:
    """As :func:`shards`, of records that are not there all at once."""
    while shard := Shard(islice(records, size)):
        yield shard


def _let_go(records: list[R]) -> Iterator[R]:
    """The records in their order, each taken out of the list, so that a listing of any length is
    freed as it is used."""
    records.reverse()
    while records:
        yield records.pop()


def _shards_or_none(records: Sequence[R], size: int) -> list[Shard[R]]:
    """Of no records an empty shard, which no task is submitted for: whoever asks for the next shard
    of clips has an answer after a bounded number of tasks, so that a batch can end there."""
    return shards(records, size) or [Shard()]


@flow(name="pairs", persist_result=False, validate_parameters=False)
def make_pairs(build: BuildRun) -> None:
    """Makes every pair that the recipe asks for."""
    work = work_of(build)
    # Signals again: Prefect has set a handler of its own by now.
    with stopped_by_signals(work.ctx), work.watched():
        _pairs(work)


def _pairs(work: Work) -> None:
    ctx, recipe = work.ctx, work.ctx.recipe
    donors = plan.needs_donors(recipe)
    painted = plan.has_swaps(recipe) and not donors
    line = _Line(work)
    with DonorIndex() as index:
        donated = _DonatedSwaps(work, line, index) if donors else None

        def take(shard: Shard[Clip]) -> None:
            if not shard:
                return
            ctx.stats.expect(plan.STAGE, len(shard))
            annotated = work.submit(annotate_shard, shard)
            line.follow(work.submit(plan_shard, annotated))
            if painted:
                line.follow(work.submit(plan_swaps_shard, annotated))
            if donated:
                donated.bank(annotated, len(shard))

        def steps() -> Iterator[Callable[[], None]]:
            for shard in _clips(work):
                yield partial(take, shard)
            if donated:
                yield from donated.steps()

        def finish() -> None:
            if donated:
                donated.finish()
            line.finish()

        in_batches(work, "clips", steps(), lambda step: step(), finish)


@flow(name="local-edits", persist_result=False, validate_parameters=False)
def make_local_edits(build: BuildRun) -> None:
    """Makes every local-editing record that the recipe asks for."""
    work = work_of(build)
    with stopped_by_signals(work.ctx), work.watched():  # as above
        _local_edits(work)


def _local_edits(work: Work) -> None:
    ctx = work.ctx
    rules, size = ctx.recipe.records, ctx.recipe.run.shard_size
    assert rules is not None
    most = IN_LINE * work.runner.workers
    annotated: deque[Any] = deque()
    made: deque[Any] = deque()

    def take(clips: Shard[Clip]) -> None:
        if clips:
            annotated.append(work.submit(annotate_shard, clips))
            find(most)

    def find(left: int) -> None:
        while len(annotated) > left:
            index.add(work.records(annotated.popleft()))

    def take_borrowing(shard: Shard[BorrowingClip]) -> None:
        drawn = work.submit(draw_shard, shard)
        made.append((drawn, work.submit(local_edit_shard, drawn)))
        end(most)

    def end(left: int) -> None:
        while len(made) > left:
            drawn, edited = made.popleft()
            drafted = work.records(drawn)
            ctx.stats.expect(local_edit.STAGE, sum(len(clip.drafts) for clip in drafted))
            work.records(edited)

    with MaskIndex(rules, ctx.recipe.seed) as index:
        in_batches(work, "clips", _clips(work), take, lambda: find(0))
        # A deletion takes its mask from another source, so all must be annotated by now.
        ctx.stats.expect(draw.STAGE, len(index))
        borrowing = _in_shards(index.clips(), size)
        in_batches(work, "records", borrowing, take_borrowing, lambda: end(0))


def _clips(work: Work) -> Iterator[Shard[Clip]]:
    """The clips of the sources in shards, as they come; some shards are empty."""
    ctx = work.ctx
    distinct = Distinct(ctx)
    submitted = (looks and work.submit(ingest_shard, looks) for looks in _looks(work, distinct))
    for clips in _results(work, submitted):
        ctx.stats.expect(annotate.STAGE, len(clips))
        yield from _shards_or_none(clips, ctx.recipe.run.shard_size)
    distinct.write_names()


def _looks(work: Work, distinct: Distinct) -> Iterator[Sequence[Look]]:
    """The sources to be cut, each video once, in shards."""
    ctx = work.ctx
    submitted = (files and work.submit(look_shard, files) for files in _files(work))
    for looks in _results(work, submitted):
        used = distinct.take(looks)
        ctx.stats.expect(ingest.STAGE, len(used))
        yield used
    for rest in shards(distinct.rest(), ctx.recipe.run.shard_size):
        ctx.stats.expect(ingest.STAGE, len(rest))
        yield rest


def _files(work: Work) -> Iterator[Sequence[SourceFile]]:
    """The sources on this machine, then the remote ones as they are fetched, in shards."""
    ctx = work.ctx
    found = listing(ctx.recipe.sources, KeptAnswers(ctx))
    ctx.notes += found.notes
    ctx.incomplete = found.incomplete
    ctx.worth_retrying |= found.incomplete
    here = joined([each for each in found.files if isinstance(each, SourceFile)])
    elsewhere = [each for each in found.files if isinstance(each, RemoteVideo)]
    del found
    ctx.stats.expect(look.STAGE, len(here))
    yield from _in_shards(_let_go(here), ctx.recipe.run.shard_size)
    if not elsewhere:
        return
    ctx.stats.expect(fetch.STAGE, len(elsewhere))
    together = max(ctx.recipe.run.shard_size, fetch.AT_ONCE)
    waiting = _in_shards(_let_go(elsewhere), together)
    submitted = (work.submit(fetch_shard, shard) for shard in waiting)
    for files in _results(work, submitted):
        ctx.stats.expect(look.STAGE, len(files))
        yield from _shards_or_none(files, ctx.recipe.run.shard_size)


def _results(work: Work, submitted: Iterator[Any]) -> Iterator[Any]:
    """The results of tasks in their order, none of what is no task; a bounded number is ahead."""
    ahead: deque[Any] = deque()

    def next_result() -> Sequence[Any]:
        future = ahead.popleft()
        return work.records(future) if future else []

    for future in submitted:
        ahead.append(future)
        if len(ahead) > AHEAD * work.runner.workers:
            yield next_result()
    while ahead:
        yield next_result()


class _Line:
    """Submits what follows a shard of plans: edit, instruct, judge; a bounded number of shards is
    in it."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._most = IN_LINE * work.runner.workers
        self._judged: deque[Any] = deque()

    def follow(self, planned: Any) -> None:
        """The stages after a shard of plans, given its future. Waits where the line is full; raises
        what a task raised."""
        edited = self._work.submit(edit_shard, planned)
        instructed = self._work.submit(instruct_shard, edited)
        self._judged.append(self._work.submit(judge_shard, instructed))
        if len(self._judged) > self._most:
            self._work.records(self._judged.popleft())

    def finish(self) -> None:
        """Waits for everything. Raises what the first failed task raised."""
        while self._judged:
            self._work.records(self._judged.popleft())


class _DonatedSwaps:
    """Plans swaps with objects of other clips, which are banked as clips are annotated."""

    def __init__(self, work: Work, line: _Line, index: DonorIndex) -> None:
        self._work, self._line, self._index = work, line, index
        self._banked: deque[Any] = deque()
        self._planned: deque[Any] = deque()

    def bank(self, annotated: Any, clips: int) -> None:
        """Submits the banking of so many clips, given the future of their shard."""
        self._work.ctx.stats.expect(bank.STAGE, clips)
        self._banked.append(self._work.submit(bank_shard, annotated))
        self._add(IN_LINE * self._work.runner.workers)

    def steps(self) -> Iterator[Callable[[], None]]:
        """Each plans the swaps of a shard. A donor may come from any clip, so the first is there
        once all clips are banked; their edits may still be in line."""
        self._add(0)
        sample = bank.keep_sample(self._work.ctx, self._index.sample())
        for given in self._index.shards():
            yield partial(self._plan, (*given, sample))

    def finish(self) -> None:
        """Waits for what is submitted here; what the plans ask for is in line then."""
        self._add(0)
        self._follow(0)

    def _plan(self, given: tuple[Any, ...]) -> None:
        self._planned.append(self._work.submit(plan_donated_swaps_shard, given))
        self._follow(self._work.runner.workers)

    def _add(self, left: int) -> None:
        while len(self._banked) > left:
            self._index.add(self._work.records(self._banked.popleft()))

    def _follow(self, left: int) -> None:
        while len(self._planned) > left:
            swaps = self._planned.popleft()
            if any(clip.plans for clip in self._work.records(swaps)):  # most have none
                self._line.follow(swaps)
