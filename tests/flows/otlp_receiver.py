"""A receiver of OpenTelemetry's protocol over HTTP, which keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def _plain(attributes: Any) -> dict[str, Any]:
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = (
            [item.string_value for item in value.values] if kind == "array_value" else value
        )
    return found


@dataclass
class Received:
    """`spans` are protobuf's, `metrics` by name the last value of each set of attributes."""

    endpoint: str = ""
    spans: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    metrics: dict[str, dict[frozenset[tuple[str, Any]], float]] = field(default_factory=dict)

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def value(self, metric: str, **attributes: str) -> float:
        """The sum over all series that have these attributes."""
        wanted = set(attributes.items())
        series = self.metrics[metric].items()
        return sum(value for own, value in series if wanted <= own)

    def take_traces(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.add(_plain(resource.resource.attributes)["service.name"])
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def take_metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    series = self.metrics.setdefault(metric.name, {})
                    for point in points:
                        value = point.as_int or point.as_double
                        series[frozenset(_plain(point.attributes).items())] = value


def attributes(span: Any) -> dict[str, Any]:
    """A span's attributes as plain values."""
    return _plain(span.attributes)


@contextmanager
def receiver() -> Iterator[Received]:
    """A receiver on a free port of this machine."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                received.take_traces(body)
            elif self.path == "/v1/metrics":
                received.take_metrics(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
