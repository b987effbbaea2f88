"""What became of the payments of a run: their ends, and examples with their timelines."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import psycopg

from demo.story import Ordered
from libs.common.record import Record
from operate.topics import Recorded
from stack import postgres

REFUSED = "refused"
LOST = "lost"
"""What became of a payment that was taken on, and that payments doesn't know."""
AFTER_REVIEW = " after review"


class End(Record):
    """How one payment ended."""

    payment_id: str
    state: str
    public_reason: str
    internal_reason: str
    was_reviewed: bool
    seconds: float | None
    """From its being taken on to its end; None while it goes on."""

    @property
    def reason(self) -> str:
        return self.internal_reason or self.public_reason

    @property
    def words(self) -> str:
        return self.state + (AFTER_REVIEW if self.was_reviewed and self.state in ("settled", "rejected") else "")


class TimelineEntry(Record):
    """One event of a payment's life, wherever it was published."""

    milliseconds: float
    """Since the first."""
    topic: str
    event_type: str


def ends(dsn: str, payment_ids: Iterable[str]) -> dict[str, End]:
    """How each payment ended, as payments keeps it; those that it doesn't know are not there."""
    query = "SELECT payment_id::text, body FROM payments WHERE payment_id = ANY(%b::uuid[])"
    with psycopg.connect(postgres.dsn(dsn)) as connection:
        rows = connection.execute(query.encode(), (list(payment_ids),)).fetchall()
    return {payment_id: _end(payment_id, json.loads(body)) for payment_id, body in rows}


def _end(payment_id: str, body: dict) -> End:  # type: ignore[type-arg]
    seconds = None
    if "ended_at" in body:
        began, ended = datetime.fromisoformat(body["initiated_at"]), datetime.fromisoformat(body["ended_at"])
        seconds = (ended - began).total_seconds()
    return End(
        payment_id=payment_id,
        state=body.get("state", "initiated"),
        public_reason=body.get("public_reason", ""),
        internal_reason=body.get("internal_reason", ""),
        was_reviewed=any(step[1] == "suspended" for step in body["steps"]),
        seconds=seconds,
    )


def by_end(ordered: Sequence[Ordered], found: Mapping[str, End]) -> Counter[tuple[str, str]]:
    """Payments by end and reason; refused lines by reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in ordered:
        if item.refusal is not None:
            counts[REFUSED, item.refusal] += 1
        else:
            end = found.get(item.payment_id)
            counts[(end.state, end.reason) if end else (LOST, "")] += 1
    return counts


def timeline(payment_id: str, recorded: Iterable[Recorded], case_ids: Mapping[str, str]) -> list[TimelineEntry]:
    """Every event about a payment, across the services, in the order of its cause. `case_ids`: payment by case."""
    unique = {
        event.event_id: event
        for event in recorded
        if event.subject == payment_id or case_ids.get(event.subject) == payment_id
    }
    events = sorted(unique.values(), key=lambda event: event.caused_at)
    return [
        TimelineEntry(
            milliseconds=(event.caused_at - events[0].caused_at).total_seconds() * 1000,
            topic=event.topic,
            event_type=event.event_type,
        )
        for event in events
    ]
