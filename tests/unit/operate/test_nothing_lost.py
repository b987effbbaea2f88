"""What differs at one reading may be under way; what differs at two, the very same, is wrong. What somebody has
decided, and what topics have forgotten, is neither."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from libs.common import ids
from libs.common.record import replace
from operate.nothing_lost import CLOCKS_SECONDS, Finding, judge, still
from operate.stored import Stored, Taken
from operate.topics import Recorded
from stack.settings import SERVICES

PAYMENT = "payments.payment.v1"
NOW = datetime.now(UTC)


def finding(**faults: set[str]) -> Finding:
    return Finding(what="all agree", faults={what: frozenset(ids) for what, ids in faults.items()}, counted="9")


def test_what_differs_twice_is_told() -> None:
    (found,) = still([finding(missing={"a", "b"})], [finding(missing={"b", "c"}, twice={"d"})])
    assert not found.holds
    assert found.faults == {"missing": frozenset({"b"})}
    assert found.detail == "1 missing, such as b"


def test_what_was_under_way_is_not() -> None:
    (found,) = still([finding(missing={"a"})], [finding(missing={"b"})])
    assert found.holds and found.detail == "9"
    (found,) = still([finding()], [finding(missing={"b"})])
    assert found.holds, "what has come since is under way"


def event(event_type: str, subject: str, *, offset: int, event_id: str | None = None) -> Recorded:
    return Recorded(
        topic=PAYMENT,
        partition=0,
        offset=offset,
        event_id=event_id or ids.derive(subject, event_type),
        event_type=event_type,
        subject=subject,
        caused_at=NOW,
        value=b"",
        correlation_id="",
    )


def a_journey(payment_id: str | None = None, *, offset: int = 0) -> list[Recorded]:
    """A payment that was rejected."""
    subject = payment_id or ids.new(at_seconds=NOW.timestamp())
    return [
        event(event_type, subject, offset=offset + number)
        for number, event_type in enumerate(("PaymentInitiated", "PaymentRejected"))
    ]


def kept(*journeys: list[Recorded]) -> Stored:
    """What databases say when everybody has applied all of it."""
    payments = {recorded.subject for journey in journeys for recorded in journey}
    event_ids = {recorded.event_id for journey in journeys for recorded in journey}
    return Stored(
        taken={name: Taken(applied=frozenset(event_ids), discarded=frozenset(), waiting={}) for name in SERVICES},
        payments=dict.fromkeys(payments, "rejected"),
        holds=dict.fromkeys(payments, "declined"),
        assessed=frozenset(payments),
        screened=frozenset(payments),
        refunded=frozenset(),
    )


def of_service(stored: Stored, name: str, **changes: frozenset[str]) -> Stored:
    return replace(stored, taken={**stored.taken, name: replace(stored.taken[name], **changes)})


def faults(
    recorded: list[Recorded], stored: Stored, held_since: Mapping[str, datetime] | None = None
) -> dict[str, set[str]]:
    """What is wrong, whoever found it, with the ids."""
    found: dict[str, set[str]] = {}
    for one in judge(recorded, stored, held_since=held_since or {}):
        for what, which in one.faults.items():
            found.setdefault(what, set()).update(which)
    return found


def reads_only(stored: Stored, recorded: list[Recorded]) -> Stored:
    """Nobody has in their inbox what they don't read: of these two events, fraud and compliance read the first."""
    readers = {"fraud", "compliance", "accounts", "payments"}
    for name in readers:
        surplus = {
            id_
            for one in judge(recorded, stored)
            if one.what.startswith(f"{name} has applied")
            for id_ in one.faults.get("applied but not published", ())
        }
        stored = of_service(stored, name, applied=stored.taken[name].applied - surplus)
    return stored


def test_what_all_have_applied_holds_and_what_one_has_not_does_not() -> None:
    journey = a_journey()
    stored = reads_only(kept(journey), journey)
    assert faults(journey, stored) == {}
    lost = journey[0].event_id
    assert lost in stored.taken["fraud"].applied
    less = of_service(stored, "fraud", applied=stored.taken["fraud"].applied - {lost})
    assert faults(journey, less) == {"published but not applied": {lost}}
    stranger = ids.new()
    more = of_service(stored, "fraud", applied=stored.taken["fraud"].applied | {stranger})
    assert faults(journey, more) == {"applied but not published": {stranger}}


def test_a_letter_that_somebody_has_discarded_is_not_missed_nor_what_would_have_come_of_it() -> None:
    journey = a_journey()
    stored = reads_only(kept(journey), journey)
    initiated = journey[0].event_id
    without = replace(
        of_service(
            stored,
            "fraud",
            applied=stored.taken["fraud"].applied - {initiated},
            discarded=frozenset({initiated}),
        ),
        assessed=frozenset(),
    )
    assert faults(journey, without) == {}
    (told,) = [one for one in judge(journey, without) if one.what.startswith("fraud has applied")]
    assert "1 of them discarded" in told.detail
    undecided = of_service(without, "fraud", discarded=frozenset())
    assert faults(journey, undecided).keys() == {"published but not applied", "missing"}


def test_what_could_not_be_read_and_was_applied_after_all_has_two_ids_and_is_one() -> None:
    journey = a_journey()
    stored = reads_only(kept(journey), journey)
    of_place = journey[0].place_id
    again = of_service(stored, "fraud", applied=stored.taken["fraud"].applied | {of_place})
    assert faults(journey, again) == {}


def test_junk_that_passes_for_an_event_counts_for_nothing_once_it_is_discarded() -> None:
    journey = a_journey()
    stored = reads_only(kept(journey), journey)
    subject = journey[0].subject
    junk = [
        event("PaymentInitiated", ids.new(), offset=7),
        event("PaymentSettled", subject, offset=8),
        # Under the id of a true event.
        event("PaymentInitiated", subject, offset=9, event_id=journey[0].event_id),
        event("PaymentRejected", "no id", offset=10),
    ]
    assert {"on the topic but not accepted", "with more than one end"} <= faults([*journey, *junk], stored).keys()
    places = frozenset(one.place_id for one in junk)
    for name in SERVICES:
        stored = of_service(stored, name, discarded=places)
    assert faults([*journey, *junk], stored) == {}
    assert faults([*junk, *journey], stored) == {}


def test_what_began_before_the_topics_do_is_not_looked_for_there_and_it_is_said_so() -> None:
    since = NOW - timedelta(hours=1)
    old = a_journey(ids.new(at_seconds=since.timestamp() - 1))
    young = a_journey(ids.new(at_seconds=since.timestamp() + CLOCKS_SECONDS + 1), offset=2)
    stored = reads_only(kept(old, young), [*old, *young])
    held = dict.fromkeys((PAYMENT, "payments.refund.v1"), since)
    assert faults(young, stored).keys() == {"accepted but not on the topic", "applied but not published"}
    assert faults(young, stored, held) == {}
    (told,) = [one for one in judge(young, stored, held_since=held) if one.what.startswith("every payment")]
    assert f"topics have forgotten what began before {since:%Y-%m-%d}"[:45] in told.detail
    # What is lost of what they should hold still is, is lost.
    assert faults(old, stored, held).keys() == {"accepted but not on the topic", "applied but not published"}
