"""Spans and metrics in this process: off at no cost, on through an application's own providers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from catalog.errors import EditmillError
from experts import memory
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.runtime.monitoring import metrics as metrics_of_builds
from flows.runtime.monitoring import telemetry
from flows.runtime.monitoring.seen import seen
from flows.runtime.results import journal
from flows.runtime.shard import Shard
from tests.flows.otlp_receiver import receiver

RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
plan: {weights: {deblur: 1}}
"""


class Named:
    """A record."""

    def __init__(self, name: str) -> None:
        self.name = name


class Model:
    """Computes nothing."""

    name, version = "still", "1"

    def load(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


@pytest.fixture(scope="module")
def sent() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    """An application's own providers, which a process can set once."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider([reader]))
    metrics_of_builds.instruments()  # once in a process
    return exporter, reader


@pytest.fixture
def on(
    sent: tuple[InMemorySpanExporter, InMemoryMetricReader], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    for name in telemetry.ASKS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setattr(telemetry, "_tracer", None)
    monkeypatch.setattr(telemetry, "_tried", False)
    monkeypatch.setattr(metrics_of_builds, "instruments", lambda: None)
    sent[0].clear()
    yield sent
    memory.around(lambda models: nullcontext())


def _stage(ctx: Context, names: list[str]) -> None:
    shard = Shard([Named(name) for name in names])

    def work(batch: list[Named]) -> list[dict]:
        with memory.using(Model()):
            return [{"made": record.name} for record in batch]

    with seen(ctx, "edit", shard):
        made = journal.run(
            ctx, "edit", shard, key=lambda r: r.name, work=work, name=lambda r: r.name, batch=2
        )
        assert len(list(made)) == len(names)


def test_a_build_is_one_trace_through_the_applications_own_providers(
    ctx: Context, on: tuple[InMemorySpanExporter, InMemoryMetricReader]
) -> None:
    exporter, reader = on
    with telemetry.build(ctx):
        assert ctx.run.traceparent
        ctx.stats.expect("edit", 5)
        _stage(ctx, ["a", "b", "c"])
        _stage(ctx, ["a"])  # found in the journal
        ctx.stats.judged("deblur", True)
        data = reader.get_metrics_data()
    spans = exporter.get_finished_spans()
    by_name = {span.name: span for span in spans}
    assert [span.name for span in spans] == [
        *("model", "edit batch", "model", "edit batch", "edit", "edit", "build tiny")
    ]
    first, again = (span for span in spans if span.name == "edit")
    assert first.attributes["editmill.records.done"] == 3
    assert again.attributes["editmill.records.reused"] == 1
    assert first.parent.span_id == by_name["build tiny"].context.span_id
    batches = [span.attributes["editmill.record"] for span in spans if span.name == "edit batch"]
    assert batches == [("a", "b"), ("c",)]
    assert by_name["model"].attributes["editmill.model"] == ("still",)

    found = {
        (metric.name, *sorted(point.attributes.items())): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    own = (("build", ctx.run.run_id), ("recipe", "tiny"))
    outcomes = {
        outcome: found["editmill.records", own[0], ("outcome", outcome), own[1], ("stage", "edit")]
        for outcome in ("done", "reused", "failed")
    }
    assert outcomes == {"done": 3, "reused": 1, "failed": 0}
    assert found["editmill.queue", *own, ("stage", "edit")] == 1
    assert found["editmill.products", *own, ("task", "deblur"), ("verdict", "kept")] == 1


def test_a_worker_in_another_process_goes_on_with_the_builds_trace(
    ctx: Context, on: tuple[InMemorySpanExporter, InMemoryMetricReader]
) -> None:
    with telemetry.build(ctx):
        run = ctx.run
    ctx.run = run  # as it came with a task, where no span is current
    _stage(ctx, ["a"])
    root, shard = (
        next(span for span in on[0].get_finished_spans() if span.name == name)
        for name in ("build tiny", "edit")
    )
    assert shard.context.trace_id == root.context.trace_id
    assert shard.parent.span_id == root.context.span_id


OFF = """
import sys, tempfile
from flows.recipe import parse
from flows.runtime.context import context
from flows.runtime.monitoring import metrics as metrics_of_builds
from flows.runtime.monitoring import telemetry
ctx = context(tempfile.mkdtemp(), parse('''{recipe}''', "tiny"))
with telemetry.build(ctx), telemetry.shard(ctx.run, "edit", "s", 1), telemetry.records("edit", "a"):
    pass
print(sorted(name for name in sys.modules if name.startswith("opentelemetry.sdk")))
"""


@pytest.mark.parametrize("off", [{}, {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}])
def test_off_it_imports_nothing(off: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry.ASKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in off.items():
        monkeypatch.setenv(name, value)
    script = OFF.format(recipe=RECIPE)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr


def test_off_a_span_costs_a_microsecond(ctx: Context) -> None:
    assert not telemetry.asked()
    start = time.thread_time()
    for _ in range(10_000):
        with telemetry.records("edit", ("a",)):
            pass
    assert time.thread_time() - start < 0.2  # 20 µs each, on a slow machine


ON = """
import sys, tempfile
from flows.recipe import parse
from flows.runtime.context import context
from flows.runtime.monitoring import metrics as metrics_of_builds
from flows.runtime.monitoring import telemetry
ctx = context(tempfile.mkdtemp(), parse('''{recipe}''', "tiny"))
with telemetry.build(ctx):
    ctx.stats.count("edit", done=2)
"""


def _on(**environment: str) -> subprocess.CompletedProcess[str]:
    script = ON.format(recipe=RECIPE)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60
    )


def test_the_standard_variables_say_where_and_as_whom_it_is_sent() -> None:
    with receiver() as received:
        there = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint, "OTEL_SERVICE_NAME": "night"}
        assert _on(**os.environ, **there).returncode == 0
    assert received.services == {"night"}
    assert received.value("editmill.records", stage="edit", outcome="done") == 2
    with receiver() as received:
        there = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{received.endpoint}/v1/metrics"}
        assert _on(**os.environ, **there).returncode == 0
    assert not received.spans
    assert received.metrics


def test_a_receiver_that_is_away_ends_no_build() -> None:
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    start = time.monotonic()
    told = _on(**os.environ, **there)
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in told.stderr
    assert time.monotonic() - start < 45


def test_an_exporter_that_is_not_known_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runtime.monitoring.exporters import _kind

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(EditmillError, match=r"EXPORTER=zipkin: .* otlp, console or none"):
        _kind("TRACES")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(EditmillError, match="http/protobuf alone"):
        _kind("TRACES")
