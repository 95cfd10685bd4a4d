"""What a build spends, by stage: records, seconds, core-seconds, waiting, peak memory; and its
orchestration's share.

Work is time inside a record's own computation. Everything else a build's wall clock sees, Prefect's
server, scheduling, hashing, the journal and table writes, is orchestration.

Core-seconds of the thread that works on a record are measured. What other threads and child
processes of the build compute meanwhile, a library's own threads or a decoder, is sampled four
times a second and shared equally between the stages that are at work then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from flows.runtime.every import every
from flows.runtime.monitoring.memory_use import MemoryUse

ORDER = (
    *("fetch", "look", "ingest", "caption", "annotate", "ideas", "plan", "draw"),
    *("edit", "instruct", "judge", "vlm", "best", "local_edit", "bank", "report"),
)
"""Of the stages, as they are told; records of one may be expected before those of another that
comes before it."""

SAMPLE_SECONDS = 0.25
MB = 1 << 20


@dataclass(slots=True)
class StageStats:
    """Counters of one stage. `reused` records were found in the journal and not computed again."""

    name: str
    total: int = 0
    done: int = 0
    reused: int = 0
    failed: int = 0
    seconds: float = 0.0  # of work, summed over workers
    core_seconds: float = 0.0  # of processors, while at work
    waiting: float = 0.0  # of `seconds`, in which the worker's own thread did not compute
    besides: float = 0.0  # seconds of its tasks outside work: the journal, the tables, uploads
    since: float | None = None  # `time.monotonic()` when its first record began
    until: float | None = None  # and when the work on its last one ended
    peak_memory_mb: float = 0.0  # of the process, while the stage was at work


_SUMS = ("total", "done", "reused", "failed", "seconds", "core_seconds", "waiting", "besides")


@dataclass(slots=True)
class ShardCount:
    """Records of one shard in one stage, as :class:`StageStats` counts them."""

    done: int = 0
    reused: int = 0
    failed: int = 0
    worked: float = 0.0  # seconds


@dataclass(slots=True)
class TaskCount:
    """Pairs (or local-editing records) of one task so far."""

    made: int = 0
    kept: int = 0


@dataclass(slots=True)
class Stats:
    """Thread-safe; one per build and process."""

    stages: dict[str, StageStats] = field(default_factory=dict)
    tasks: dict[str, TaskCount] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    memory_mb: float = 0.0  # of this process and its children, at the last sample
    peak_memory_mb: float = 0.0
    workers: int = 1
    _at_work: dict[str, int] = field(default_factory=dict)
    shards: int = 0  # whose tasks run now
    _tasks_since: float = 0.0
    _in_tasks: float = 0.0  # wall seconds in which at least one task ran
    _covered: float = 0.0  # until when tasks of other processes were counted, `time.time()`
    _own_core: float = 0.0  # core-seconds of threads while they were at work
    _working: dict[int, float] = field(default_factory=dict)  # threads at work: their time before
    _memory: MemoryUse = field(default_factory=MemoryUse)
    _sampled: float | None = None  # core-seconds of everything else at the last sample
    _local: threading.local = field(default_factory=threading.local)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def stage(self, name: str) -> StageStats:
        with self._lock:
            return self.stages.setdefault(name, StageStats(name))

    @property
    def in_order(self) -> list[StageStats]:
        """The stages so far, as a record goes through them; those of no known name last."""
        with self._lock:
            places = {name: place for place, name in enumerate(ORDER)}
            return sorted(self.stages.values(), key=lambda s: places.get(s.name, len(ORDER)))

    def expect(self, name: str, records: int) -> None:
        with self._lock:
            self.stage(name).total += records

    def refuse(self, name: str) -> None:
        """A record that the stage had done, or found done, is refused by what it shows."""
        with self._lock:
            stage = self.stage(name)
            if stage.done:
                stage.done -= 1
            elif stage.reused:
                stage.reused -= 1
            stage.failed += 1

    def count(self, name: str, *, done: int = 0, reused: int = 0, failed: int = 0) -> None:
        with self._lock:
            shard: ShardCount = getattr(self._local, "shard", ShardCount())
            for counted in (self.stage(name), shard):
                counted.done += done
                counted.reused += reused
                counted.failed += failed

    def add(
        self,
        stages: Mapping[str, Mapping[str, float]],
        tasks: Mapping[str, TaskCount],
        span: tuple[float, float],
        peak_memory_mb: float,
    ) -> None:
        """Counts what a task in another process counted (:meth:`counters`), which ran in `span`
        (`time.time()`)."""
        with self._lock:
            for name, counted in stages.items():
                stage = self.stage(name)
                for counter in _SUMS:
                    setattr(stage, counter, getattr(stage, counter) + counted[counter])
                stage.peak_memory_mb = max(stage.peak_memory_mb, counted["peak_memory_mb"])
                if counted["seconds"]:
                    clocks = time.monotonic() - time.time()
                    stage.since = clocks + span[0] if stage.since is None else stage.since
                    stage.until = clocks + span[1]
            for name, count in tasks.items():
                so_far = self.tasks.setdefault(name, TaskCount())
                so_far.made += count.made
                so_far.kept += count.kept
            self._in_tasks += max(0.0, span[1] - max(span[0], self._covered))
            self._covered = max(self._covered, span[1])
            self.peak_memory_mb = max(self.peak_memory_mb, peak_memory_mb)

    def counters(self) -> dict[str, dict[str, float]]:
        """By stage its counters and its peak memory, for another process to :meth:`add`."""
        with self._lock:
            names = (*_SUMS, "peak_memory_mb")
            return {
                stage.name: {name: getattr(stage, name) for name in names}
                for stage in self.stages.values()
            }

    def judged(self, task: str, keep: bool) -> None:
        """Counts a product of the task."""
        with self._lock:
            count = self.tasks.setdefault(task, TaskCount())
            count.made += 1
            count.kept += keep

    @property
    def made(self) -> int:
        """Products so far."""
        with self._lock:
            return sum(count.made for count in self.tasks.values())

    @contextmanager
    def task(self, name: str) -> Iterator[ShardCount]:
        """Wraps a stage's task of a shard; what it spends outside `work` is orchestration. Gives
        what is counted in it, by its own thread."""
        start = time.monotonic()
        self._local.shard = shard = ShardCount()
        with self._lock:
            if self.shards == 0:
                self._tasks_since = start
            self.shards += 1
        try:
            yield shard
        finally:
            end = time.monotonic()
            besides = max(0.0, end - start - shard.worked)
            with self._lock:
                self.shards -= 1
                if self.shards == 0:
                    self._in_tasks += end - self._tasks_since
                self.stage(name).besides += besides

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Time inside is the stage's computation."""
        start, core = time.monotonic(), time.thread_time()
        with self._lock:
            stage = self.stage(name)
            stage.since = start if stage.since is None else stage.since
            self._at_work[name] = self._at_work.get(name, 0) + 1
            self._working[threading.get_ident()] = core
        try:
            yield
        finally:
            seconds, core = time.monotonic() - start, time.thread_time() - core
            shard: ShardCount = getattr(self._local, "shard", ShardCount())
            shard.worked += seconds
            with self._lock:
                stage.until = start + seconds
                stage.seconds += seconds
                stage.core_seconds += core
                stage.waiting += max(0.0, seconds - core)
                self._own_core += core
                self._at_work[name] -= 1
                del self._working[threading.get_ident()]

    def orchestration_share(self) -> float:
        """Share of the wall time that was orchestration, 0–1: no task running, or a task outside
        its records' work (divided by the workers that could run beside it)."""
        wall, besides = self.wall_seconds(), sum(each.besides for each in self.in_order)
        share = (wall - self._in_tasks + besides / self.workers) / wall
        return min(max(share, 0.0), 1.0)  # the parts are measured apart, some microseconds off

    def wall_seconds(self) -> float:
        return time.monotonic() - self.started

    def _sample(self, process: psutil.Process, others: Collection[psutil.Process]) -> None:
        children = process.children(recursive=True)
        used = self._memory.of([process, *children])
        core = _core_seconds(process, [each for each in children if each not in others])
        with self._lock:
            at_work = [self.stage(name) for name, workers in self._at_work.items() if workers]
            self.memory_mb = used / MB
            self.peak_memory_mb = max(self.peak_memory_mb, self.memory_mb)
            besides = core - self._own_core_now()
            since = 0.0 if self._sampled is None else max(0.0, besides - self._sampled)
            self._sampled = besides
            for stage in at_work:
                stage.peak_memory_mb = max(stage.peak_memory_mb, used / MB)
                stage.core_seconds += since / len(at_work)

    def _own_core_now(self) -> float:
        """Core-seconds of threads at work until now, those that still are included."""
        clock = getattr(time, "pthread_getcpuclockid", None)  # macOS has none
        if clock is None:
            return self._own_core
        running = (time.clock_gettime(clock(t)) - before for t, before in self._working.items())
        return self._own_core + sum(running)

    def watch(self) -> AbstractContextManager[None]:
        """Samples the memory of this process and its children until left, and what they compute;
        a child that was there before, a server, computes for no stage."""
        process = psutil.Process()
        others = process.children(recursive=True)

        def sample() -> None:
            with suppress(psutil.Error):  # a child ended between listing and asking
                self._sample(process, others)

        return every(SAMPLE_SECONDS, sample, "samples")


def _core_seconds(process: psutil.Process, children: Sequence[psutil.Process]) -> float:
    """Of the process, of its children that have ended, and of these that have not."""
    own = process.cpu_times()
    ended = own.children_user + own.children_system
    running = (each.cpu_times() for each in children)
    return own.user + own.system + ended + sum(t.user + t.system for t in running)
