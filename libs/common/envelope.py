"""What travels around an event's body: CloudEvents headers (binary mode), trace, and sequence number."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from libs.common.events import Event
from libs.common.message import Message, Trace
from libs.common.outbox import OutboxRow

ID = "ce_id"
TYPE = "ce_type"
SOURCE = "ce_source"
TIME = "ce_time"
SUBJECT = "ce_subject"
SEQUENCE = "ce_sequence"
CORRELATION_ID = "ce_correlationid"
CAUSATION_ID = "ce_causationid"
TRACEPARENT = "traceparent"

SOURCE_PREFIX = "/weir/"


def seal(event: Event, value: bytes, *, event_id: str, number: int, cause: Message, service: str) -> OutboxRow:
    """An event ready for its topic. `number` is its place among the events of its aggregate there."""
    contract = event.contract
    return OutboxRow(
        topic=contract.topic.name,
        key=contract.key_of(event),
        value=value,
        headers={
            "ce_specversion": "1.0",
            ID: event_id,
            TYPE: contract.full_name,
            SOURCE: SOURCE_PREFIX + service,
            TIME: _text_of(cause.received_at),
            SUBJECT: contract.subject_of(event),
            SEQUENCE: str(number),
            CORRELATION_ID: cause.trace.correlation_id,
            CAUSATION_ID: cause.message_id,
            TRACEPARENT: cause.trace.traceparent,
            "content-type": "application/avro",
        },
    )


@lru_cache(maxsize=16)
def _text_of(time: datetime) -> str:
    # A batch has one, and hundreds of events.
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def is_from(headers: Mapping[str, str], *, service: str) -> bool:
    """Whether a record claims to come from the service that owns its topic."""
    return headers.get(SOURCE) == SOURCE_PREFIX + service


def trace_of(headers: Mapping[str, str], *, fallback_id: str) -> Trace:
    """The thread a record belongs to; one without any begins its own."""
    return Trace(
        correlation_id=headers.get(CORRELATION_ID, fallback_id),
        traceparent=headers.get(TRACEPARENT, ""),
    )


def time_of(message: Message) -> datetime | None:
    """When the event was caused, if its headers tell."""
    headers = dict(message.source.headers) if message.source else {}
    return read_time((headers.get(TIME) or b"").decode(errors="replace"))


def read_time(text: str) -> datetime | None:
    """The time in a header; None where there is none: a time without a zone tells nothing."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
