"""A build's counters as OpenTelemetry's metrics, read when they are sent.

Each has the attributes `recipe` and `build` (the run's id).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from experts.devices import gpu_shares
from flows.runtime.context import Context
from flows.runtime.monitoring.stats import MB, StageStats, Stats
from flows.runtime.monitoring.status import stage_statuses

Attributes = dict[str, str]
Values = Iterator[tuple[float, Attributes]]

_builds: dict[str, Context] = {}  # that this process drives, by run id


@contextmanager
def observed(ctx: Context) -> Iterator[None]:
    """Meanwhile, the build's counters are sent."""
    _builds[ctx.run.run_id] = ctx
    try:
        yield
    finally:
        del _builds[ctx.run.run_id]


def _records(stats: Stats) -> Values:
    for stage in stats.in_order:
        for outcome in ("done", "reused", "failed"):
            yield getattr(stage, outcome), {"stage": stage.name, "outcome": outcome}


def _seconds(stats: Stats) -> Values:
    kinds: Mapping[str, Callable[[StageStats], float]] = {
        "work": lambda stage: stage.seconds,
        "waiting": lambda stage: stage.waiting,
        "besides": lambda stage: stage.besides,
        "core": lambda stage: stage.core_seconds,
    }
    for stage in stats.in_order:
        for kind, seconds in kinds.items():
            yield seconds(stage), {"stage": stage.name, "kind": kind}


def _products(stats: Stats) -> Values:
    for task, count in dict(stats.tasks).items():
        yield count.kept, {"task": task, "verdict": "kept"}
        yield count.made - count.kept, {"task": task, "verdict": "rejected"}


def _queue(stats: Stats) -> Values:
    for stage in stage_statuses(stats):
        yield stage.left, {"stage": stage.name}


def _rate(stats: Stats) -> Values:
    for stage in stage_statuses(stats):
        if stage.per_minute is not None:
            yield stage.per_minute / 60, {"stage": stage.name}


def instruments() -> None:
    """To be called once in a process: what it counts is read from now on. A worker of a build that
    another process drives sends what its GPUs do; it reports its counters to the driver."""
    meter = metrics.get_meter("editmill")
    counters: dict[str, tuple[Callable[[Stats], Values], str, str]] = {
        "editmill.records": (_records, "{record}", "Records that stages have finished"),
        "editmill.stage.time": (_seconds, "s", "Seconds that stages took, by what went on"),
        "editmill.products": (_products, "{product}", "Pairs, or local-editing records"),
    }
    gauges: dict[str, tuple[Callable[[Stats], Values], str, str]] = {
        "editmill.queue": (_queue, "{record}", "Records that a stage has yet to finish"),
        "editmill.rate": (_rate, "{record}/s", "Records computed since the stage began"),
        "editmill.shards": (lambda s: iter([(s.shards, {})]), "{shard}", "Shards at work"),
        "editmill.memory": (
            lambda s: iter([(s.memory_mb * MB, {})]),
            "By",
            "Memory of the process and its children",
        ),
    }
    for name, (values, unit, what) in counters.items():
        meter.create_observable_counter(name, [_callback(values)], unit, what)
    for name, (values, unit, what) in gauges.items():
        meter.create_observable_gauge(name, [_callback(values)], unit, what)
    gpu = "Share of each GPU's memory that is taken, and of its time that it computes"
    meter.create_observable_gauge("editmill.gpu", [_gpus], "1", gpu)


def _callback(values: Callable[[Stats], Values]) -> Callable[[CallbackOptions], Any]:
    def call(_: CallbackOptions) -> Iterator[Observation]:
        for build, ctx in list(_builds.items()):
            own = {"recipe": ctx.recipe.name, "build": build}
            for value, attributes in values(ctx.stats):
                yield Observation(value, {**own, **attributes})

    return call


def _gpus(_: CallbackOptions) -> Iterator[Observation]:
    for device, shares in gpu_shares().items():
        for kind, share in shares.items():
            yield Observation(share, {"device": device, "kind": kind})
