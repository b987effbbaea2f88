"""Nothing lost, nothing twice: a comparison of sets between topics, inboxes and databases."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta

from docs import catalogue
from libs.common import ids
from libs.common.record import Record
from operate import stored
from operate.stored import Stored, Taken
from operate.topics import Recorded
from stack.settings import SERVICES

STATE_BY_END = {
    "PaymentSettled": "settled",
    "PaymentRejected": "rejected",
    "PaymentCancelled": "cancelled",
    "PaymentBlocked": "blocked",
}
ENDS = frozenset(STATE_BY_END)
STATE_BY_REFUND_END = {"RefundSettled": "settled", "RefundRejected": "rejected"}
CLOCKS_SECONDS = 60
"""How far clocks may differ: of who makes an id, and of who publishes what it names."""


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


NOTHING_FORGOTTEN: Mapping[str, datetime] = {}
"""Every topic holds all that was ever published on it."""


def compare(
    recorded: Sequence[Recorded],
    databases: Mapping[str, str],
    *,
    held_since: Mapping[str, datetime] = NOTHING_FORGOTTEN,
    may_wait: bool = False,
) -> list[Finding]:
    """Every comparison there is. Raises Outage.

    `databases` holds each service's address, `held_since` from when on a topic holds everything, if it has forgotten
    something (`topics.held_since`); `may_wait`: reviews may be open.
    """
    return judge(recorded, stored.load(databases), held_since=held_since, may_wait=may_wait)


def judge(
    recorded: Sequence[Recorded],
    kept: Stored,
    *,
    held_since: Mapping[str, datetime] = NOTHING_FORGOTTEN,
    may_wait: bool = False,
) -> list[Finding]:
    """The same, of what databases have said. Pure."""

    def memory(names: Iterable[str]) -> _Memory:
        return _Memory(held_since, names)

    events: dict[str, Recorded] = {}
    for event in _without_junk(recorded, kept.taken.values()):
        # Whoever reads keeps to the first.
        events.setdefault(event.event_id, event)
    read_by = {service: memory(_topics_read_by(service)) for service in SERVICES}
    return [
        _journeys_end(events.values(), kept, memory(_topics_of("PaymentInitiated", *STATE_BY_END)), may_wait=may_wait),
        *(_inbox_equals_topics(name, recorded, kept.taken[name], read_by[name]) for name in SERVICES),
        *(_nothing_waits(name, kept.taken[name]) for name in SERVICES),
        *_databases_agree(recorded, kept, read_by),
        _refunds_end(events.values(), kept, memory(_topics_of("RefundRequested", *STATE_BY_REFUND_END))),
    ]


class _Memory:
    """How far back some topics reach together: what began before can't be looked for there."""

    def __init__(self, held_since: Mapping[str, datetime], topics: Iterable[str]) -> None:
        forgotten = [held_since[topic] for topic in topics if topic in held_since]
        self._since = max(forgotten) + timedelta(seconds=CLOCKS_SECONDS) if forgotten else None

    def holds(self, found: Set[str]) -> Set[str]:
        """Those of some ids that must be there, if they were published at all: an id is older than what it names."""
        if self._since is None:
            return found
        first = ids.first_of(self._since.timestamp())
        return {id_ for id_ in found if id_ >= first}

    @property
    def words(self) -> str:
        """What is to be said about it."""
        return f"; topics have forgotten what began before {self._since:%Y-%m-%d %H:%M:%S} UTC" if self._since else ""


def _topics_of(*names: str) -> set[str]:
    return {entry.topic.name for entry in catalogue.entries() if entry.name in names}


def _topics_read_by(service: str) -> set[str]:
    return {entry.topic.name for entry in catalogue.entries() if service in entry.readers}


def _without_junk(recorded: Sequence[Recorded], taken: Iterable[Taken]) -> Sequence[Recorded]:
    """Leave out what is no event, whatever it says of itself: a service could not read it and somebody has discarded
    it, and no service has applied it."""
    known = list(taken)
    discarded = frozenset().union(*(one.discarded for one in known))
    if not discarded:
        return recorded
    applied = frozenset().union(*(one.applied for one in known))
    return [event for event in recorded if event.event_id in applied or event.place_id not in discarded]


def _journeys_end(events: Iterable[Recorded], kept: Stored, memory: _Memory, *, may_wait: bool) -> Finding:
    """Accepted ids = ended ids, each ended once, as the database says."""
    initiated, ends = _begun_and_ended(events, "PaymentInitiated", STATE_BY_END)
    payments = kept.payments
    open_ones = {payment_id for payment_id, state in payments.items() if state not in STATE_BY_END.values()}
    faults = {
        "accepted but not on the topic": memory.holds(payments.keys() - initiated),
        "on the topic but not accepted": initiated - payments.keys(),
        "without an end": set() if may_wait else initiated - ends.keys(),
        "with more than one end": {payment_id for payment_id, states in ends.items() if len(states) > 1},
        "with another end in the database": {p for p, states in ends.items() if payments.get(p) != states[0]},
        "neither ended nor waiting": initiated - ends.keys() - open_ones,
    }
    counted = f"{len(initiated):,} payments{memory.words}"
    return _finding("every payment accepted has exactly one end", faults, counted)


def _inbox_equals_topics(service: str, recorded: Iterable[Recorded], taken: Taken, memory: _Memory) -> Finding:
    """The unique ids of what a service reads = the ids in its inbox, but for what somebody has discarded there.

    What could not be read is entered under the id of its place. Applied after all, it has its own besides.
    """
    reads = {(entry.topic.name, entry.name) for entry in catalogue.entries() if service in entry.readers}
    read = [event for event in recorded if (event.topic, event.event_type) in reads]
    published = {event.event_id for event in read}
    discarded = published & taken.discarded
    missing = published - taken.applied - discarded
    if missing and taken.discarded:
        excused = {e.event_id for e in read if e.event_id in missing and e.place_id in taken.discarded}
        # An event as well as the junk that bears its id.
        excused -= {e.event_id for e in read if e.event_id in excused and e.place_id not in taken.discarded}
        discarded, missing = discarded | excused, missing - excused
    surplus = memory.holds(taken.applied - published)
    if surplus:
        surplus = surplus - {event.place_id for event in recorded}
    faults = {"published but not applied": missing, "applied but not published": surplus}
    apart = f", {len(discarded):,} of them discarded" if discarded else ""
    return _finding(
        f"{service} has applied what it reads, once", faults, f"{len(published):,} events{apart}{memory.words}"
    )


def _nothing_waits(service: str, taken: Taken) -> Finding:
    faults = {f"in {where}": found for where, found in taken.waiting.items()}
    return _finding(f"{service} has nothing waiting", faults, "outbox, parked and dead letters empty")


def _databases_agree(recorded: Sequence[Recorded], kept: Stored, read_by: Mapping[str, _Memory]) -> list[Finding]:
    """Each database tells of the same payments, and of the same ends, but for what was discarded there."""
    payments, holds = kept.payments, kept.holds
    known = {
        "fraud has assessed every payment": ("fraud", kept.assessed),
        "compliance has screened every payment": ("compliance", kept.screened),
        "accounts knows every payment": ("accounts", holds.keys()),
    }
    missing = {
        name: _unexplained(payments.keys() - theirs, recorded, kept.taken[name], read_by[name])
        for name, theirs in known.values()
    }
    moves = {"settled": {"posted"}, "blocked": {"blocked"}}
    explained = payments.keys() - holds.keys() - missing["accounts"]
    wrong = {
        payment_id
        for payment_id, state in payments.items()
        if state in STATE_BY_END.values()
        and holds.get(payment_id) not in moves.get(state, {"declined", "released"})
        and (state in moves or payment_id not in explained)
    }
    moved = Counter(holds.values())
    return [
        *(
            _finding(
                what, {"missing": missing[name], "unknown to payments": theirs - payments.keys()}, f"{len(theirs):,}"
            )
            for what, (name, theirs) in known.items()
        ),
        _finding(
            "the money went where each payment ended",
            {"moved otherwise": wrong},
            ", ".join(f"{count:,} {status}" for status, count in sorted(moved.items())),
        ),
    ]


def _unexplained(absent: Set[str], recorded: Iterable[Recorded], taken: Taken, memory: _Memory) -> Set[str]:
    """Of payments that a service does not know, those that it can't be because somebody has discarded their event."""
    if not absent or not taken.discarded:
        return absent
    about = {
        event.subject for event in recorded if event.event_id in taken.discarded or event.place_id in taken.discarded
    }
    return memory.holds(absent - about)


def _refunds_end(events: Iterable[Recorded], kept: Stored, memory: _Memory) -> Finding:
    """Requested refunds = ended refunds, each ended once, and accounts moved the money of those that settled."""
    requested, ends = _begun_and_ended(events, "RefundRequested", STATE_BY_REFUND_END)
    settled = {refund_id for refund_id, states in ends.items() if states == ["settled"]}
    faults = {
        "without an end": requested - ends.keys(),
        "with more than one end": {refund_id for refund_id, states in ends.items() if len(states) > 1},
        "settled without money, or the other way round": (settled - kept.refunded)
        | memory.holds(kept.refunded - settled),
    }
    return _finding(
        "every refund has exactly one end, and its money moved with it",
        faults,
        f"{len(requested):,} refunds{memory.words}",
    )


def _begun_and_ended(
    events: Iterable[Recorded], beginning: str, state_by_end: Mapping[str, str]
) -> tuple[set[str], dict[str, list[str]]]:
    """What an event of this type began, and the ends that each came to."""
    begun: set[str] = set()
    ends: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if not ids.is_id(event.subject):
            # It says of nothing that it began or ended.
            continue
        if event.event_type == beginning:
            begun.add(event.subject)
        elif event.event_type in state_by_end:
            ends[event.subject].append(state_by_end[event.event_type])
    return begun, ends


def _finding(what: str, faults: Mapping[str, Set[str]], counted: str) -> Finding:
    return Finding(what=what, faults={fault: frozenset(ids) for fault, ids in faults.items() if ids}, counted=counted)
