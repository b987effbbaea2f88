"""Nothing lost, nothing twice: a comparison of sets between topics, inboxes and databases."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

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
WAITING_TABLES = {
    "outbox": "shard || '/' || id",
    "outbox_parked": "shard || '/' || id",
    "parked_keys": "key",
    "parked_messages": "id::text",
}
"""Of what is under way, and what tells its rows apart."""


class Finding(Record):
    """One comparison, and whether it held."""

    what: str
    faults: Mapping[str, frozenset[str]]
    """The ids of what does not fit, by what is wrong with them; empty where it holds."""
    counted: str
    """What was compared."""

    @property
    def holds(self) -> bool:
        return not self.faults

    @property
    def detail(self) -> str:
        words = (f"{len(ids):,} {fault}, such as {min(ids)}" for fault, ids in self.faults.items())
        return "; ".join(words) or self.counted


def still(findings: Sequence[Finding], again: Sequence[Finding]) -> list[Finding]:
    """What a second reading confirms: of what is under way, other things don't fit each time."""
    before = {finding.what: finding.faults for finding in findings}
    return [
        _finding(
            finding.what,
            {fault: ids & before[finding.what].get(fault, frozenset()) for fault, ids in finding.faults.items()},
            finding.counted,
        )
        for finding in again
    ]


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
    waiting = {f"in {table}": _ids(dsn, f"SELECT {key} FROM {table}") for table, key in WAITING_TABLES.items()}
    waiting["in dead letters"] = _ids(dsn, "SELECT event_id::text FROM dead_letters WHERE status = 'dead'")
    return _finding(f"{service} has nothing waiting", waiting, "outbox, parked and dead letters empty")


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


def _finding(what: str, faults: Mapping[str, Set[str]], counted: str) -> Finding:
    return Finding(what=what, faults={fault: frozenset(ids) for fault, ids in faults.items() if ids}, counted=counted)


def _ids(dsn: str, query: str) -> set[str]:
    return {id_ for (id_,) in _rows(dsn, query)}


def _rows(dsn: str, query: str) -> list[tuple]:  # type: ignore[type-arg]
    with psycopg.connect(postgres.dsn(dsn)) as connection:
        return connection.execute(query.encode()).fetchall()
