"""Spans: what a message leads to names the message's own span as its parent, before that span is written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.common import ids, tracing
from libs.common.message import Command, Message, Trace
from libs.common.tracing import LINKS_MAX, Tracer, Work

NOW = datetime.now(UTC)
WORK = Work(started=1_000, ended=2_000)
SENT = f"00-{'a' * 32}-{'b' * 16}-01"
UNWANTED = f"00-{'a' * 32}-{'b' * 16}-00"


class Written:
    """A tracer of a service, and what it has written."""

    def __init__(self, service: str = "payments", share: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = Tracer(service, SimpleSpanProcessor(self._exporter), share=share)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()


def message(traceparent: str, message_id: str | None = None) -> Message:
    trace = Trace(correlation_id="journey", traceparent=traceparent)
    return Message(message_id=message_id or ids.new(), body=Command(), received_at=NOW, trace=trace)


def test_a_message_is_a_span_whose_parent_is_what_it_came_with() -> None:
    payments = Written()
    came = message(SENT)
    (own,) = payments.tracer.enter_each([came])
    assert own.trace.traceparent != SENT and own.trace.traceparent.startswith(SENT[:35])
    payments.tracer.message(own, came.trace, WORK, 2)
    (span,) = payments.spans
    assert span.name == "payments Command"
    assert span.context is not None and span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == ("a" * 32, "b" * 16)
    assert f"{span.context.span_id:016x}" == own.trace.traceparent.split("-")[2]
    assert (span.start_time, span.end_time) == (1_000, 2_000)


def test_a_replay_names_the_same_span_and_another_service_another() -> None:
    came = message(SENT)
    once, again = (Written().tracer.enter_each([came])[0].trace for _ in range(2))
    elsewhere = Written("fraud").tracer.enter_each([came])[0].trace
    assert once == again != elsewhere


def test_what_has_no_trace_begins_one() -> None:
    (own,) = Written().tracer.enter_each([message("")])
    assert tracing.trace_id_of(own.trace)


@pytest.mark.parametrize(("share", "flags"), [(1.0, "01"), (0.0, "00")])
def test_whether_a_new_trace_is_recorded_is_decided_where_it_begins(share: float, flags: str) -> None:
    trace = Written(share=share).tracer.enter(tracing.begin(), is_new=True)
    assert trace.traceparent.endswith(f"-{flags}")


def test_what_its_caller_does_not_want_recorded_is_handed_on_and_not_written() -> None:
    payments = Written()
    came = message(UNWANTED)
    (own,) = payments.tracer.enter_each([came])
    payments.tracer.message(own, came.trace, WORK, 1)
    payments.tracer.batch("batch", [own.trace.traceparent], WORK)
    assert own.trace.traceparent.endswith("-00")
    assert payments.spans == ()


def test_a_request_is_a_span_between_its_caller_and_what_it_leads_to() -> None:
    payments = Written()
    trace = payments.tracer.enter(tracing.begin(traceparent=SENT), is_new=False)
    attributes = {"http.request.method": "POST", "http.route": "/v1/payments"}
    payments.tracer.request(SENT, trace, WORK, **attributes, **{"http.response.status_code": 500})
    (span,) = payments.spans
    assert span.parent is not None and f"{span.parent.span_id:016x}" == "b" * 16
    assert span.name == "POST /v1/payments" and not span.status.is_ok


def test_a_batch_is_linked_to_the_first_of_what_it_held() -> None:
    payments = Written()
    held = [f"00-{number:032x}-{'b' * 16}-01" for number in range(1, 2 * LINKS_MAX)]
    payments.tracer.batch("relay", held, WORK, **{"weir.events": len(held)})
    (span,) = payments.spans
    assert span.parent is None
    assert [link.context.trace_id for link in span.links] == list(range(1, LINKS_MAX + 1))


class Silent(SpanProcessor):
    """What sends to a collector that doesn't answer: stopping it takes until the collector is given up."""

    def __init__(self) -> None:
        self.given_up, self.stopped = Event(), Event()

    def shutdown(self) -> None:
        self.given_up.wait(30)
        self.stopped.set()


def test_a_stop_does_not_wait_for_a_collector_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "CLOSE_SECONDS_MAX", 0.05)
    processor = Silent()
    Tracer("payments", processor).close()
    assert not processor.stopped.is_set()
    processor.given_up.set()
    assert processor.stopped.wait(30)
