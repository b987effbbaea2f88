"""What travels around an event: who caused it, where it belongs, and which journey it is part of."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.common import envelope, ids, tracing
from libs.common.message import Message, Source, Trace
from tests.tally.events import CounterReported

CAUSE = Message(
    message_id=ids.named("cause"),
    body=None,
    received_at=datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1))),
    trace=Trace(correlation_id=ids.named("journey"), traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
)
EVENT = CounterReported(counter_id="a", total=3)
SEALED = envelope.seal(EVENT, b"bytes", event_id=ids.named("event"), number=7, cause=CAUSE, service="tally")


def from_topic(headers: dict[str, str | None]) -> Message:
    source = Source(
        topic="t",
        partition=0,
        offset=0,
        key=None,
        value=None,
        headers=tuple((name, None if value is None else value.encode()) for name, value in headers.items()),
    )
    return Message(
        message_id="m",
        body=None,
        received_at=CAUSE.received_at,
        trace=CAUSE.trace,
        source=source,
    )


def test_an_event_is_sealed_as_a_cloud_event_in_binary_mode() -> None:
    assert (SEALED.topic, SEALED.key, SEALED.value) == ("tally.report.v1", "a", b"bytes")
    assert SEALED.headers == {
        "ce_specversion": "1.0",
        "ce_id": ids.named("event"),
        "ce_type": "weir.tally.CounterReported",
        "ce_source": "/weir/tally",
        "ce_time": "2026-01-05T09:00:00.123456+00:00",
        "ce_subject": "a",
        "ce_sequence": "7",
        "ce_correlationid": ids.named("journey"),
        "ce_causationid": ids.named("cause"),
        "traceparent": CAUSE.trace.traceparent,
        "content-type": "application/avro",
    }


def test_the_thread_goes_on_unchanged() -> None:
    assert envelope.trace_of(SEALED.headers, fallback_id="other") == CAUSE.trace


def test_a_record_without_a_thread_begins_its_own() -> None:
    assert envelope.trace_of({}, fallback_id="own") == Trace(correlation_id="own", traceparent="")


def test_only_what_says_so_comes_from_a_service() -> None:
    assert envelope.is_from(SEALED.headers, service="tally")
    assert not envelope.is_from(SEALED.headers, service="payments")
    assert not envelope.is_from({}, service="tally")


@pytest.mark.parametrize(
    ("headers", "time"),
    [
        ({"ce_time": "2026-01-05T09:00:00.123456+00:00"}, datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)),
        ({"ce_time": "soon"}, None),
        ({"ce_time": None}, None),
        ({}, None),
    ],
)
def test_the_time_of_a_cause_is_known_if_the_headers_tell(
    headers: dict[str, str | None], time: datetime | None
) -> None:
    assert envelope.time_of(from_topic(headers)) == time


def test_the_time_of_a_command_is_not_in_headers() -> None:
    assert envelope.time_of(CAUSE) is None


# Traces

VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_callers_trace_goes_on() -> None:
    assert tracing.begin(traceparent=VALID, correlation_id="c") == Trace(correlation_id="c", traceparent=VALID)


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "nonsense",
        VALID.upper(),
        VALID + "-extra",
        VALID + "\n",
        VALID.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
    ],
)
def test_without_a_valid_trace_a_new_one_begins(traceparent: str | None) -> None:
    begun = tracing.begin(traceparent=traceparent)
    assert begun.traceparent != traceparent
    assert tracing.begin(traceparent=begun.traceparent).traceparent == begun.traceparent, "a valid one"
    assert ids.is_id(begun.correlation_id)
    assert tracing.begin().traceparent != tracing.begin().traceparent
