"""OpenTelemetry's providers, with the exporters that the OTEL_* variables name.

`OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` are `otlp`, `console` or `none`; by default
`otlp` where an endpoint is named and `none` elsewhere. The SDK reads all other variables: endpoint,
headers, time-outs, intervals, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, sampling.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from catalog.errors import EditmillError


def provide(about: Mapping[str, str]) -> None:
    """Sets the process's providers, unless the application has set its own.

    `about` names this process; what the variables say of it goes before. Raises EditmillError where
    they name an exporter or a protocol that is not known.
    """
    resource = Resource(dict(about)).merge(Resource.create())
    if str(resource.attributes["service.name"]).startswith("unknown_service"):  # nobody named it
        resource = resource.merge(Resource({"service.name": about["service.name"]}))
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        spans = _span_exporter()
        tracing = TracerProvider(resource=resource)
        if spans is not None:
            tracing.add_span_processor(BatchSpanProcessor(spans))
        trace.set_tracer_provider(tracing)
    if not isinstance(metrics.get_meter_provider(), MeterProvider):
        exporter = _metric_exporter()
        readers = [] if exporter is None else [PeriodicExportingMetricReader(exporter)]
        metrics.set_meter_provider(MeterProvider(readers, resource))


def _span_exporter() -> SpanExporter | None:
    kind = _kind("TRACES")
    if kind == "otlp":
        return OTLPSpanExporter()
    return ConsoleSpanExporter() if kind == "console" else None


def _metric_exporter() -> MetricExporter | None:
    kind = _kind("METRICS")
    if kind == "otlp":
        return OTLPMetricExporter()
    return ConsoleMetricExporter() if kind == "console" else None


def _kind(signal: str) -> str:
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    usual = "otlp" if any(os.environ.get(name) for name in endpoints) else "none"
    kind = os.environ.get(f"OTEL_{signal}_EXPORTER") or usual
    if kind not in ("otlp", "console", "none"):
        raise EditmillError(
            f"OTEL_{signal}_EXPORTER={kind}: is not known here; use otlp, console or none"
        )
    protocols = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((os.environ[name] for name in protocols if os.environ.get(name)), "")
    if kind == "otlp" and protocol not in ("", "http/protobuf"):
        raise EditmillError(
            f"{protocols[1]}={protocol}: editmill sends http/protobuf alone; use that, and the "
            "port for it (4318 by default)"
        )
    return kind
