"""Nothing lost, nothing twice: a comparison of sets between topics, inboxes and databases."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import psycopg

from docs import catalogue
from libs.common.record import Record
from operate.topics import Recorded
from stack import postgres
from stack.settings import SERVICES

STATE_BY_END = {
    "PaymentSettled": "settled",
    "PaymentRejected": "rejected",
    "PaymentCancelled": "cancelled",
    "PaymentBlocked": "blocked",
}
ENDS = frozenset(STATE_BY_END)
WAITING_TABLES = ("outbox", "outbox_parked", "parked_keys", "parked_messages")


class Finding(Record):
    """One comparison, and whether it held."""

    what: str
    holds: bool
    detail: str


def compare(recorded: Sequence[Recorded], databases: Mapping[str, str], *, may_wait: bool = False) -> list[Finding]:
    """Every comparison there is. `databases` holds each service's address; `may_wait`: reviews may be open."""
    events = {event.event_id: event for event in recorded}
    return [
        _journeys_end(events.values(), databases["payments"], may_wait=may_wait),
        *(_inbox_equals_topics(service, events.values(), databases[service]) for service in SERVICES),
        *(_nothing_waits(service, databases[service]) for service in SERVICES),
        *_databases_agree(events.values(), databases),
        _refunds_end(events.values(), databases),
    ]


def _journeys_end(events: Iterable[Recorded], dsn: str, *, may_wait: bool) -> Finding:
    """Accepted ids = ended ids, each ended once, as the database says."""
    initiated, ends = _begun_and_ended(events, "PaymentInitiated", STATE_BY_END)
    stored = dict(_rows(dsn, "SELECT payment_id::text, state FROM payments"))
    open_ones = {payment_id for payment_id, state in stored.items() if state not in STATE_BY_END.values()}
    faults = {
        "accepted but not on the topic": stored.keys() - initiated,
        "on the topic but not accepted": initiated - stored.keys(),
        "without an end": set() if may_wait else initiated - ends.keys(),
        "with more than one end": {payment_id for payment_id, states in ends.items() if len(states) > 1},
        "with another end in the database": {p for p, states in ends.items() if stored.get(p) != states[0]},
        "neither ended nor waiting": initiated - ends.keys() - open_ones,
    }
    return _finding("every payment accepted has exactly one end", faults, f"{len(initiated):,} payments")


def _inbox_equals_topics(service: str, events: Iterable[Recorded], dsn: str) -> Finding:
    """The unique ids of what a service reads = the ids in its inbox."""
    reads = {(entry.topic.name, entry.name) for entry in catalogue.entries() if service in entry.readers}
    published = {event.event_id for event in events if (event.topic, event.event_type) in reads}
    applied = {event_id for (event_id,) in _rows(dsn, "SELECT event_id::text FROM inbox WHERE outcome = 'applied'")}
    faults = {"published but not applied": published - applied, "applied but not published": applied - published}
    return _finding(f"{service} has applied what it reads, once", faults, f"{len(published):,} events")


def _nothing_waits(service: str, dsn: str) -> Finding:
    counts = {table: _count(dsn, f"SELECT count(*) FROM {table}") for table in WAITING_TABLES}
    counts["dead letters"] = _count(dsn, "SELECT count(*) FROM dead_letters WHERE status = 'dead'")
    left = {table: count for table, count in counts.items() if count}
    detail = (
        ", ".join(f"{count} in {table}" for table, count in left.items()) or "outbox, parked and dead letters empty"
    )
    return Finding(what=f"{service} has nothing waiting", holds=not left, detail=detail)


def _databases_agree(events: Iterable[Recorded], databases: Mapping[str, str]) -> list[Finding]:
    """Each database tells of the same payments, and of the same ends."""
    payments = dict(_rows(databases["payments"], "SELECT payment_id::text, state FROM payments"))
    holds = dict(_rows(databases["accounts"], "SELECT hold_id::text, status FROM holds WHERE kind = 'payment'"))
    assessed = {i for (i,) in _rows(databases["fraud"], "SELECT payment_id::text FROM assessments")}
    screened = {i for (i,) in _rows(databases["compliance"], "SELECT payment_id::text FROM screenings")}
    expected = {"settled": {"posted"}, "blocked": {"blocked"}}
    wrong = {
        payment_id
        for payment_id, state in payments.items()
        if state in STATE_BY_END.values() and holds.get(payment_id) not in expected.get(state, {"declined", "released"})
    }
    moved = Counter(holds.values())
    return [
        _finding("fraud has assessed every payment", _both(payments.keys(), assessed), f"{len(assessed):,}"),
        _finding("compliance has screened every payment", _both(payments.keys(), screened), f"{len(screened):,}"),
        _finding("accounts knows every payment", _both(payments.keys(), holds.keys()), f"{len(holds):,}"),
        _finding(
            "the money went where each payment ended",
            {"moved otherwise": wrong},
            ", ".join(f"{count:,} {status}" for status, count in sorted(moved.items())),
        ),
    ]


def _refunds_end(events: Iterable[Recorded], databases: Mapping[str, str]) -> Finding:
    """Requested refunds = ended refunds, each ended once, and accounts moved the money of those that settled."""
    state_by_end = {"RefundSettled": "settled", "RefundRejected": "rejected"}
    requested, ends = _begun_and_ended(events, "RefundRequested", state_by_end)
    moved = {
        id_ for (id_,) in _rows(databases["accounts"], "SELECT refund_id::text FROM refunds WHERE status = 'posted'")
    }
    settled = {refund_id for refund_id, states in ends.items() if states == ["settled"]}
    faults = {
        "without an end": requested - ends.keys(),
        "with more than one end": {refund_id for refund_id, states in ends.items() if len(states) > 1},
        "settled without money, or the other way round": settled ^ moved,
    }
    return _finding(
        "every refund has exactly one end, and its money moved with it", faults, f"{len(requested):,} refunds"
    )


def _begun_and_ended(
    events: Iterable[Recorded], beginning: str, state_by_end: Mapping[str, str]
) -> tuple[set[str], dict[str, list[str]]]:
    """What an event of this type began, and the ends that each came to."""
    begun: set[str] = set()
    ends: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event.event_type == beginning:
            begun.add(event.subject)
        elif event.event_type in state_by_end:
            ends[event.subject].append(state_by_end[event.event_type])
    return begun, ends


def _both(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, set[str]]:
    return {"missing": set(ours) - set(theirs), "unknown to payments": set(theirs) - set(ours)}


def _finding(what: str, faults: Mapping[str, set[str]], detail: str) -> Finding:
    found = {fault: ids for fault, ids in faults.items() if ids}
    words = "; ".join(f"{len(ids)} {fault}, such as {min(ids)}" for fault, ids in found.items())
    return Finding(what=what, holds=not found, detail=words or detail)


def _count(dsn: str, query: str) -> int:
    ((count,),) = _rows(dsn, query)
    return int(count)


def _rows(dsn: str, query: str) -> list[tuple]:  # type: ignore[type-arg]
    with psycopg.connect(postgres.dsn(dsn)) as connection:
        return connection.execute(query.encode()).fetchall()
