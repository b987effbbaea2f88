"""An OTLP collector: what receives the spans of every service, for as long as the tests last."""

import gzip
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.record import Record


class Span(Record):
    """What a test looks at of a span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for the first of a trace."""
    linked: frozenset[str]
    """The traces of the spans it is linked to."""


class Collector:
    """Keeps every span it is sent."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    def of_trace(self, trace_id: str) -> list[Span]:
        return [span for span in list(self._spans) if span.trace_id == trace_id]

    def linked_to(self, trace_id: str) -> list[Span]:
        return [span for span in list(self._spans) if trace_id in span.linked]

    def take(self, body: bytes) -> None:
        self._spans += _read(ExportTraceServiceRequest.FromString(body))


@contextmanager
def collecting(host: str, port: int) -> Iterator[Collector]:
    """A collector that listens for as long as the block lasts."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read(request: ExportTraceServiceRequest) -> Sequence[Span]:
    return [
        Span(
            service=next(a.value.string_value for a in found.resource.attributes if a.key == "service.name"),
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            linked=frozenset(link.trace_id.hex() for link in span.links),
        )
        for found in request.resource_spans
        for scope in found.scope_spans
        for span in scope.spans
    ]
