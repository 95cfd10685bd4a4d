"""What a build is doing, as a small file in its catalog that anybody may read while it runs."""

from __future__ import annotations

import math
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from pydantic import AwareDatetime, Field, TypeAdapter

from catalog.errors import EditmillError, one_line
from catalog.storage import open_storage
from flows.runtime.context import Context, Stopped
from flows.runtime.every import every
from flows.runtime.monitoring.stats import StageStats, Stats, TaskCount

FILE = "work/status.json"
"""Its key in a catalog's storage."""

ENDED = "builds"
"""The folder that keeps how each build ended (:mod:`flows.runtime.monitoring.past_builds`)."""

SECONDS = 2.0
"""Between two writings."""

SILENT_SECONDS = 30.0
"""A running build that wrote nothing for so long has died, or its machine is overwhelmed."""

State = Literal["running", "stopping", "finished", "stopped", "failed"]

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Pid = Annotated[int, Field(gt=0, lt=2**31)]

SAME_PROCESS_SECONDS = 1.0
"""Difference of two start times up to which a process of the same id is the same process."""

RATE_SECONDS = 1.0
"""Time that a stage must have been at work before a rate is told: a video that is refused at once
would make it thousands a minute."""


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage: records expected so far, and how they went. `per_minute` is the rate of records
    computed from when the stage began until now, or until its last one where none is left;
    `seconds_left` is the time that what is left takes; None where nothing can be said yet. What it
    took is as `flows.runtime.monitoring.stats.StageStats` has it (None in documents of earlier
    versions)."""

    name: str
    total: int
    done: int
    reused: int
    failed: int
    left: int
    per_minute: Seconds | None
    seconds_left: Seconds | None
    seconds: Seconds | None = None
    core_seconds: Seconds | None = None
    waiting: Seconds | None = None
    besides: Seconds | None = None
    peak_memory_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A build as of `updated_at`."""

    recipe: str
    state: State
    started_at: AwareDatetime
    updated_at: AwareDatetime
    seconds: Seconds
    host: str
    pid: Pid
    process_started: Seconds  # since the epoch; a pid may be another process's by now
    stages: list[StageStatus]
    tasks: dict[str, TaskCount]
    peak_memory_mb: int
    message: str = ""  # why it failed
    release: str = ""  # the release it ended with

    @property
    def seconds_left(self) -> float | None:
        """Of what is known to be left; None where a stage that has begun cannot say."""
        parts = [stage.seconds_left for stage in self.stages if stage.left]
        known = [part for part in parts if part is not None]
        return sum(known) if parts and len(known) == len(parts) else None

    @property
    def kept(self) -> int:
        return sum(count.kept for count in self.tasks.values())

    @property
    def made(self) -> int:
        return sum(count.made for count in self.tasks.values())


def stage_status(stage: StageStats, workers: int, now: float) -> StageStatus:
    """The stage at the time `now` of `time.monotonic()`."""
    finished = stage.done + stage.reused + stage.failed
    left = max(0, stage.total - finished)
    computed = stage.done + stage.failed
    rate = left_seconds = None
    end = now if left or stage.until is None else stage.until
    if computed and stage.since is not None and end - stage.since >= RATE_SECONDS:
        rate = 60 * computed / (end - stage.since)
    if not left:
        left_seconds = 0.0
    elif stage.done:
        left_seconds = math.ceil(left / workers) * stage.seconds / stage.done
    return StageStatus(
        name=stage.name,
        total=stage.total,
        done=stage.done,
        reused=stage.reused,
        failed=stage.failed,
        left=left,
        per_minute=None if rate is None else round(rate, 2),
        seconds_left=None if left_seconds is None else round(left_seconds, 1),
        seconds=round(stage.seconds, 2),
        core_seconds=round(stage.core_seconds, 2),
        waiting=round(stage.waiting, 2),
        besides=round(stage.besides, 2),
        peak_memory_mb=round(stage.peak_memory_mb),
    )


def stage_statuses(stats: Stats) -> list[StageStatus]:
    """Every stage that has records, now."""
    now, stages = time.monotonic(), stats.in_order
    return [stage_status(stage, stats.workers, now) for stage in stages if stage.total]


_STATUS = TypeAdapter(Status)


@dataclass(slots=True)
class _Writer:
    """Writes one build's status into its catalog, and keeps the one that it ends with."""

    ctx: Context
    started_at: datetime = field(default_factory=lambda: _now())

    def write(self, state: State, message: str = "", release: str = "") -> None:
        """A status that cannot be written is nobody's loss: the build says what is wrong."""
        stats = self.ctx.stats
        status = Status(
            recipe=self.ctx.recipe.name,
            state=state,
            started_at=self.started_at,
            updated_at=_now(),
            seconds=round(stats.wall_seconds(), 1),
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=psutil.Process().create_time(),
            stages=stage_statuses(stats),
            tasks=dict(sorted(stats.tasks.items())),
            peak_memory_mb=round(stats.peak_memory_mb),
            message=message,
            release=release,
        )
        document = _STATUS.dump_json(status)
        with suppress(EditmillError, OSError):
            self.ctx.storage.write(FILE, document)
            if state not in ("running", "stopping"):
                name = f"{self.started_at:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
                self.ctx.storage.write(f"{ENDED}/{name}.json", document)


@contextmanager
def kept_up(ctx: Context) -> Iterator[_Ending]:
    """Meanwhile, the build's status is in its catalog; afterwards, how it ended."""
    writer, ending = _Writer(ctx), _Ending()

    def write() -> None:
        writer.write("stopping" if ctx.stop.is_set() else "running")

    write()
    state: State = "failed"
    message = ""
    try:
        with every(SECONDS, write, "status"):
            yield ending
        state = "finished"
    except Stopped:
        state = "stopped"
        raise
    except BaseException as error:
        message = one_line(str(error)) or type(error).__name__
        raise
    finally:
        writer.write(state, message, ending.release)


@dataclass(slots=True)
class _Ending:
    """What a build ended with."""

    release: str = ""


def read(root: str | Path) -> Status | None:
    """The status of the last build in the catalog at `root`; None where none was ever written.

    Raises EditmillError where the file is no status.
    """
    data = open_storage(root).read(FILE)
    if data is None:
        return None
    if (status := parsed(data)) is None:
        raise EditmillError(
            f"{root}/{FILE}: no build's status that this version of editmill can read; remove it, "
            "the next build writes it anew"
        )
    return status


def parsed(data: bytes) -> Status | None:
    """The status in the document; None where this version of editmill cannot read it."""
    try:
        return _STATUS.validate_json(data)
    except ValueError:
        return None


def alive(status: Status) -> bool:
    """Whether a build that says it runs still does: its process is there, on this machine; on
    another one, it was heard of lately."""
    if status.state not in ("running", "stopping"):
        return False
    if status.host == socket.gethostname():
        try:
            started = psutil.Process(status.pid).create_time()
        except psutil.Error:
            return False
        return abs(started - status.process_started) < SAME_PROCESS_SECONDS
    return (_now() - status.updated_at).total_seconds() < SILENT_SECONDS


def as_json(status: Status) -> dict[str, Any]:
    """The status for a machine to read."""
    return {
        **_STATUS.dump_python(status, mode="json"),
        "made": status.made,
        "kept": status.kept,
        "seconds_left": status.seconds_left,
        "alive": alive(status),
    }


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
