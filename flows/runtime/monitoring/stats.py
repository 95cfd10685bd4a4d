"""What a build spends, by stage: records, seconds, peak memory; and its orchestration's share.

Work is time inside a record's own computation. Everything else a build's wall clock sees, Prefect's
server, scheduling, hashing, the journal and table writes, is orchestration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from flows.runtime.every import every

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
    seconds: float = 0.0  # summed over workers
    since: float | None = None  # `time.monotonic()` when its first record began
    peak_memory_mb: float = 0.0  # of the process, while the stage was at work


_COUNTERS = ("total", "done", "reused", "failed", "seconds")


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
    peak_memory_mb: float = 0.0
    workers: int = 1
    besides: float = 0.0  # seconds inside tasks, but outside any record's work
    _at_work: dict[str, int] = field(default_factory=dict)
    _tasks: int = 0
    _tasks_since: float = 0.0
    _in_tasks: float = 0.0  # wall seconds in which at least one task ran
    _covered: float = 0.0  # until when tasks of other processes were counted, `time.time()`
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
            stage = self.stage(name)
            stage.done += done
            stage.reused += reused
            stage.failed += failed

    def add(
        self,
        stages: Mapping[str, Mapping[str, float]],
        tasks: Mapping[str, TaskCount],
        span: tuple[float, float],
        besides: float,
        peak_memory_mb: float,
    ) -> None:
        """Counts what a task in another process counted (:meth:`counters`); it ran in `span`
        (`time.time()`), `besides` seconds of that outside any record's work."""
        with self._lock:
            for name, counted in stages.items():
                stage = self.stage(name)
                for counter in _COUNTERS:
                    setattr(stage, counter, getattr(stage, counter) + counted[counter])
                stage.peak_memory_mb = max(stage.peak_memory_mb, counted["peak_memory_mb"])
                if counted["seconds"] and stage.since is None:
                    stage.since = time.monotonic() - (time.time() - span[0])
            for name, count in tasks.items():
                so_far = self.tasks.setdefault(name, TaskCount())
                so_far.made += count.made
                so_far.kept += count.kept
            self._in_tasks += max(0.0, span[1] - max(span[0], self._covered))
            self._covered = max(self._covered, span[1])
            self.besides += besides
            self.peak_memory_mb = max(self.peak_memory_mb, peak_memory_mb)

    def counters(self) -> dict[str, dict[str, float]]:
        """By stage its counters and its peak memory, for another process to :meth:`add`."""
        with self._lock:
            names = (*_COUNTERS, "peak_memory_mb")
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
    def task(self) -> Iterator[None]:
        """Wraps a shard's task; what it spends outside `work` is orchestration."""
        start = time.monotonic()
        self._local.worked = 0.0
        with self._lock:
            if self._tasks == 0:
                self._tasks_since = start
            self._tasks += 1
        try:
            yield
        finally:
            end = time.monotonic()
            with self._lock:
                self._tasks -= 1
                if self._tasks == 0:
                    self._in_tasks += end - self._tasks_since
                self.besides += end - start - self._local.worked

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Time inside is the stage's computation."""
        start = time.monotonic()
        with self._lock:
            stage = self.stage(name)
            stage.since = start if stage.since is None else stage.since
            self._at_work[name] = self._at_work.get(name, 0) + 1
        try:
            yield
        finally:
            seconds = time.monotonic() - start
            self._local.worked = getattr(self._local, "worked", 0.0) + seconds
            with self._lock:
                self.stage(name).seconds += seconds
                self._at_work[name] -= 1

    def orchestration_share(self) -> float:
        """Share of the wall time that was orchestration, 0–1: no task running, or a task outside
        its records' work (divided by the workers that could run beside it)."""
        wall = self.wall_seconds()
        return max(0.0, (wall - self._in_tasks + self.besides / self.workers) / wall)

    def wall_seconds(self) -> float:
        return time.monotonic() - self.started

    def _sample(self, process: psutil.Process) -> None:
        used = process.memory_info().rss + sum(
            child.memory_info().rss for child in process.children(recursive=True)
        )
        with self._lock:
            self.peak_memory_mb = max(self.peak_memory_mb, used / MB)
            for name, workers in self._at_work.items():
                if workers:
                    stage = self.stage(name)
                    stage.peak_memory_mb = max(stage.peak_memory_mb, used / MB)

    def watch_memory(self) -> AbstractContextManager[None]:
        """Samples the memory of this process and its children until left."""
        process = psutil.Process()

        def sample() -> None:
            with suppress(psutil.Error):  # a child ended between listing and asking
                self._sample(process)

        return every(SAMPLE_SECONDS, sample, "memory")
