"""A build's trace and metrics by OpenTelemetry, sent where the standard OTEL_* variables say.

Off unless one of :data:`ASKS` is set; then nothing of OpenTelemetry's SDK is imported, and a span
costs a function call. On, it needs the extra `editmill[otel]`. An application that has set up
OpenTelemetry by itself gets spans and metrics through its own providers.

The trace: a span for the build, in it one per stage and shard, in it one per batch of records, and
in that one per use of models. Metrics are read from the build's counters when they are sent
(:mod:`flows.runtime.monitoring.metrics`), so that counting costs nothing more.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from experts import memory
from experts.base import Model
from flows.runtime.context import BuildRun, Context
from flows.runtime.monitoring.logs import LOG

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ASKS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
)

FLUSH_MS = 10_000
"""How long the last spans and metrics of a process may take to their receiver."""

NAME = "editmill"
TRACEPARENT = "traceparent"  # W3C's name of the header

_tracer: Tracer | None = None
_tried = False
_lock = threading.Lock()


def asked() -> bool:
    """Whether the environment asks for traces or metrics."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(os.environ.get(name) for name in ASKS)


def start() -> None:
    """From now on this process sends spans, if the environment asks for it. May be called any
    number of times."""
    global _tracer, _tried
    if not asked():
        return
    with _lock:
        if not _tried:
            _tried = True
            _tracer = _set_up()


@contextmanager
def build(ctx: Context) -> Iterator[None]:
    """The whole build as the root of its trace, in the process that drives it, which knows all
    counters; afterwards all has been sent."""
    start()
    if _tracer is None:
        yield
        return
    from opentelemetry import metrics, propagate, trace

    from flows.runtime.monitoring.metrics import observed

    said: dict[str, Any] = {"editmill.recipe": ctx.recipe.name, "editmill.catalog": ctx.uri}
    with observed(ctx):
        try:
            with _tracer.start_as_current_span(f"build {ctx.recipe.name}", attributes=said):
                carrier: dict[str, str] = {}
                propagate.inject(carrier)  # for workers in other processes
                ctx.run = dataclasses.replace(ctx.run, traceparent=carrier.get(TRACEPARENT, ""))
                yield
        finally:
            _flush(trace.get_tracer_provider())
            _flush(metrics.get_meter_provider())


@contextmanager
def shard(run: BuildRun, stage: str, name: str, records: int) -> Iterator[Span | None]:
    """A stage's work on a shard, in whatever process."""
    if _tracer is None:
        yield None
        return
    from opentelemetry import propagate, trace

    # In another process than the driver's, nothing is current.
    driven_here = trace.get_current_span().get_span_context().is_valid
    said: dict[str, Any] = {
        "editmill.stage": stage,
        "editmill.shard": name,
        "editmill.records": records,
    }
    above = None if driven_here else propagate.extract({TRACEPARENT: run.traceparent})
    try:
        with _tracer.start_as_current_span(stage, context=above, attributes=said) as span:
            yield span
    finally:
        if not driven_here:  # such a process may be ended at any time
            _flush(trace.get_tracer_provider())


def note(span: Span | None, counts: Mapping[str, int]) -> None:
    """Adds counts of records to a span."""
    if span is not None:
        span.set_attributes({f"editmill.records.{name}": n for name, n in counts.items()})


def records(stage: str, names: Sequence[str]) -> AbstractContextManager[object]:
    """A stage's work on a batch of records."""
    if _tracer is None:
        return nullcontext()
    said: dict[str, Any] = {"editmill.stage": stage, "editmill.record": list(names)}
    return _tracer.start_as_current_span(f"{stage} batch", attributes=said)


def _flush(provider: object) -> None:
    """Waits until what it has is sent, where it sends anything."""
    if flush := getattr(provider, "force_flush", None):
        flush(FLUSH_MS)


def _models(models: Sequence[Model]) -> AbstractContextManager[object]:
    """The use of loaded models."""
    if _tracer is None:
        return nullcontext()
    said: dict[str, Any] = {"editmill.model": [each.name for each in models]}
    return _tracer.start_as_current_span("model", attributes=said)


def _set_up() -> Tracer | None:
    """The tracer; None where the extra is not installed, which is said."""
    try:
        from flows.runtime.monitoring import exporters
        from flows.runtime.monitoring.metrics import instruments
    except ModuleNotFoundError as error:
        LOG.warning(
            "OpenTelemetry is asked for by OTEL_* variables, but %s is not installed: "
            "pip install 'editmill[otel]', or set OTEL_SDK_DISABLED=true",
            error.name,
        )
        return None
    from opentelemetry import trace

    about = {
        "service.name": NAME,
        "service.version": version(NAME),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    exporters.provide(about)
    instruments()
    memory.around(_models)
    return trace.get_tracer(NAME, version(NAME))
