"""The thread through a journey: W3C trace context, taken from the request or begun at the edge, and the spans along it.

    request ─► command ─► event ─► outbox ─► Kafka ─► whoever decides on it ─► event ─► …

A span is written when its work is done and committed, from what is known then anyway: nothing is carried along
meanwhile. Its id comes from the message and the service, so the events that a message leads to can name it as their
parent before there is one, and a replay names the same. Where nothing is exported, the context is handed on as it came.
"""

import hashlib
import random
import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from libs.common import ids
from libs.common.message import Message, Trace
from libs.common.record import Record, replace

LINKS_MAX = 128
"""Of one span: those of the first messages of its batch."""

CLOSE_SECONDS_MAX = 3
"""What the collector is given for the last spans when a process stops: the library would wait half a minute."""

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 0x01


def begin(*, traceparent: str | None = None, correlation_id: str | None = None, is_recorded: bool = True) -> Trace:
    """The caller's trace if it sent a valid one, else a new one, which says whether anyone records it."""
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        flags = _SAMPLED if is_recorded else 0
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags:02x}"
    return Trace(correlation_id=correlation_id or ids.new(), traceparent=traceparent)


def trace_id_of(trace: Trace) -> str:
    """The id of the whole journey's trace; empty where there is none."""
    return trace.traceparent[3:35] if _TRACEPARENT.fullmatch(trace.traceparent) else ""


def is_recorded(trace: Trace) -> bool:
    """Whether whoever began the trace had it recorded, so that someone may look it up."""
    context = _context(trace.traceparent)
    return context is not None and bool(context.trace_flags.sampled)


class Work(Record):
    """When some work began and ended, in nanoseconds since 1970."""

    started: int
    ended: int


class Tracer:
    """Writes the spans of one process."""

    def __init__(self, service: str, processor: SpanProcessor, *, share: float = 1.0) -> None:
        """`share` of the traces that begin here are recorded; of the others, what their callers decided."""
        self._service = service
        self._processor = processor
        self._share = share
        self._resource = Resource.create({"service.name": f"weir-{service}"})

    def enter(self, trace: Trace, *, is_new: bool) -> Trace:
        """A request's own place in its trace. Whether that is recorded is decided by whoever began it."""
        if is_new:
            return replace(trace, traceparent=self._sample())
        context = _context(trace.traceparent)
        assert context is not None, "what is not new was found valid"
        return replace(trace, traceparent=_text(context, int.from_bytes(secrets.token_bytes(8)) or 1))

    def _sample(self) -> str:
        flags = "01" if random.random() < self._share else "00"
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"

    def enter_each(self, messages: Sequence[Message]) -> list[Message]:
        """Messages with their own place in the trace each belongs to: the parent of what they will lead to."""
        return [self._entered(message) for message in messages]

    def _entered(self, message: Message) -> Message:
        context = _context(message.trace.traceparent) or _context(self._sample())
        assert context is not None
        digest = hashlib.blake2b(f"{message.message_id} {self._service}".encode(), digest_size=8).digest()
        own = _text(context, int.from_bytes(digest) or 1)
        return replace(message, trace=replace(message.trace, traceparent=own))

    def request(self, caller: str | None, trace: Trace, work: Work, **attributes: str | int) -> None:
        """A request was answered. `caller` is the context it sent, if it sent one."""
        name = f"{attributes['http.request.method']} {attributes['http.route']}"
        parent = _context(caller or "")
        is_failed = int(attributes.get("http.response.status_code", 0)) >= 500
        self._write(name, trace, parent, work, SpanKind.SERVER, attributes, is_failed=is_failed)

    def message(self, message: Message, cause: Trace, work: Work, events: int) -> None:
        """A message had effects. `message` is as `enter_each` made it, `cause` what it came with."""
        attributes: dict[str, str | int] = {
            "messaging.message.id": message.message_id,
            "messaging.destination.name": message.source.topic if message.source else "",
            "weir.events": events,
            "weir.correlation_id": message.trace.correlation_id,
        }
        kind = SpanKind.CONSUMER if message.source else SpanKind.INTERNAL
        name = f"{self._service} {type(message.body).__name__}"
        self._write(name, message.trace, _context(cause.traceparent), work, kind, attributes)

    def batch(self, name: str, traceparents: Iterable[str], work: Work, **attributes: str | int) -> None:
        """A batch was carried out: a trace of its own, linked to those of what it held."""
        contexts = (context for text in dict.fromkeys(traceparents) if (context := _context(text)) is not None)
        sampled = [context for context in islice(contexts, LINKS_MAX) if context.trace_flags.sampled]
        if sampled:
            trace = Trace(correlation_id="", traceparent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")
            links = [Link(context) for context in sampled]
            self._write(f"{self._service} {name}", trace, None, work, SpanKind.INTERNAL, attributes, links)

    def close(self) -> None:
        """Send what has not been sent yet, unless the collector takes longer than a stop can wait for it."""
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS_MAX)

    def _write(
        self,
        name: str,
        trace: Trace,
        parent: SpanContext | None,
        work: Work,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        links: Sequence[Link] = (),
        *,
        is_failed: bool = False,
    ) -> None:
        context = _context(trace.traceparent)
        if context is None or not context.trace_flags.sampled:
            return
        span = ReadableSpan(
            name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes={key: value for key, value in attributes.items() if value != ""},
            links=links,
            kind=kind,
            status=Status(StatusCode.ERROR if is_failed else StatusCode.UNSET),
            start_time=work.started,
            end_time=work.ended,
        )
        self._processor.on_end(span)


def exporting(service: str, endpoint: str, *, share: float) -> Tracer:
    """A tracer that sends its spans to an OTLP collector, in batches, on a thread of its own.

    While the collector is away spans are dropped: no payment waits for it.
    """
    return Tracer(service, BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)), share=share)


def since(started: int) -> Work:
    """Work that began then and has just ended."""
    return Work(started=started, ended=time.time_ns())


def _context(traceparent: str) -> SpanContext | None:
    if not _TRACEPARENT.fullmatch(traceparent):
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    is_sampled = int(flags, 16) & _SAMPLED
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(is_sampled))


def _text(context: SpanContext, span_id: int) -> str:
    return f"00-{context.trace_id:032x}-{span_id:016x}-{context.trace_flags:02x}"
