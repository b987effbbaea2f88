"""What differs at one reading may be under way; what differs at two, the very same, is wrong. What somebody has
decided, and what topics have forgotten, is neither."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from docs import catalogue
from libs.common import ids
from libs.common.record import replace
from operate.nothing_lost import CLOCKS_SECONDS, STATE_BY_END, STATE_BY_REFUND_END, Finding, judge, still
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


def of_service(stored: Stored, name: str, **changes: frozenset[str] | Mapping[str, frozenset[str]]) -> Stored:
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


def a_settlement() -> list[Recorded]:
    subject = ids.new(at_seconds=NOW.timestamp())
    return [
        event(event_type, subject, offset=number)
        for number, event_type in enumerate(("PaymentInitiated", "PaymentSettled"))
    ]


def a_refund() -> list[Recorded]:
    subject = ids.new(at_seconds=NOW.timestamp())
    return [
        event(event_type, subject, offset=number)._replace(topic="payments.refund.v1")
        for number, event_type in enumerate(("RefundRequested", "RefundSettled"))
    ]


JOURNEY, REFUND = a_settlement(), a_refund()
ID, REFUND_ID = JOURNEY[0].subject, REFUND[0].subject
NOTHING: frozenset[str] = frozenset()


def all_well() -> tuple[list[Recorded], Stored]:
    """A payment that was settled and given back, and everybody says so."""
    recorded = [*JOURNEY, *REFUND]
    stored = replace(kept(JOURNEY), payments={ID: "settled"}, holds={ID: "posted"}, refunded=frozenset({REFUND_ID}))
    applied = frozenset(one.event_id for one in recorded)
    for name in SERVICES:
        stored = of_service(stored, name, applied=applied)
    return recorded, reads_only(stored, recorded)


def without(recorded: list[Recorded], event_type: str) -> list[Recorded]:
    return [one for one in recorded if one.event_type != event_type]


def told(recorded: list[Recorded], stored: Stored) -> dict[str, set[str]]:
    """What is wrong, but for the inboxes, which differ wherever something is spoilt on a topic."""
    findings = [one for one in judge(recorded, stored) if "has applied what it reads" not in one.what]
    return {f"{one.what}: {fault}": set(which) for one in findings for fault, which in one.faults.items()}


END = "every payment accepted has exactly one end"
GIVEN_BACK = "every refund has exactly one end, and its money moved with it"
SECOND_END = event("PaymentRejected", ID, offset=8, event_id=ids.new())
SECOND_REFUND_END = event("RefundRejected", REFUND_ID, offset=8, event_id=ids.new())._replace(
    topic="payments.refund.v1"
)


@pytest.mark.parametrize(
    ("recorded", "changes", "expected"),
    [
        pytest.param([*JOURNEY, *REFUND], {}, {}, id="all is well"),
        pytest.param(
            [*REFUND],
            {},
            {f"{END}: accepted but not on the topic": {ID}},
            id="what was accepted is not on its topic",
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"payments": {}, "holds": {}, "assessed": NOTHING, "screened": NOTHING},
            {
                f"{END}: on the topic but not accepted": {ID},
                f"{END}: with another end in the database": {ID},
            },
            id="a database has forgotten a payment",
        ),
        pytest.param(
            without([*JOURNEY, *REFUND], "PaymentSettled"),
            {},
            {f"{END}: without an end": {ID}, f"{END}: neither ended nor waiting": {ID}},
            id="an end was never told",
        ),
        pytest.param(
            without([*JOURNEY, *REFUND], "PaymentSettled"),
            {"payments": {ID: "suspended"}, "holds": {ID: "held"}},
            {f"{END}: without an end": {ID}},
            id="a payment still waits",
        ),
        pytest.param(
            [*JOURNEY, SECOND_END, *REFUND],
            {},
            {f"{END}: with more than one end": {ID}},
            id="a payment has ended twice",
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"payments": {ID: "rejected"}},
            {
                f"{END}: with another end in the database": {ID},
                "the money went where each payment ended: moved otherwise": {ID},
            },
            id="a database knows of another end",
        ),
        *(
            pytest.param(
                [*JOURNEY, *REFUND],
                {"holds": {ID: status}},
                {"the money went where each payment ended: moved otherwise": {ID}},
                id=f"settled, but {status}",
            )
            for status in ("held", "released", "declined", "blocked")
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"holds": {}},
            {
                "accounts knows every payment: missing": {ID},
                "the money went where each payment ended: moved otherwise": {ID},
            },
            id="settled without any money",
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"assessed": NOTHING},
            {"fraud has assessed every payment: missing": {ID}},
            id="unassessed",
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"screened": frozenset({ID, "x"})},
            {"compliance has screened every payment: unknown to payments": {"x"}},
            id="screened what nobody ordered",
        ),
        pytest.param(
            without([*JOURNEY, *REFUND], "RefundSettled"),
            {"refunded": NOTHING},
            {f"{GIVEN_BACK}: without an end": {REFUND_ID}},
            id="a refund was never ended",
        ),
        pytest.param(
            [*JOURNEY, *REFUND, SECOND_REFUND_END],
            {"refunded": NOTHING},
            {f"{GIVEN_BACK}: with more than one end": {REFUND_ID}},
            id="a refund has ended twice",
        ),
        pytest.param(
            [*JOURNEY, *REFUND],
            {"refunded": NOTHING},
            {f"{GIVEN_BACK}: settled without money, or the other way round": {REFUND_ID}},
            id="a refund moved nothing",
        ),
        pytest.param(
            [*JOURNEY],
            {"refunded": frozenset({REFUND_ID})},
            {f"{GIVEN_BACK}: settled without money, or the other way round": {REFUND_ID}},
            id="money was given back unasked",
        ),
    ],
)
def test_whatever_is_wrong_is_told_by_its_name(
    recorded: list[Recorded], changes: Mapping[str, Any], expected: Mapping[str, set[str]]
) -> None:
    _, stored = all_well()
    assert told(recorded, replace(stored, **changes)) == expected


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_waits_is_told_with_its_service(name: str) -> None:
    recorded, stored = all_well()
    waiting = of_service(stored, name, waiting={"the outbox": frozenset({"x"}), "parked": NOTHING})
    assert told(recorded, waiting) == {f"{name} has nothing waiting: in the outbox": {"x"}}


def test_of_two_ends_under_one_id_readers_keep_to_the_first_and_so_does_the_judge() -> None:
    """After a restore from an old backup payments may come to another end: it has the id of the first."""
    recorded, stored = all_well()
    second = SECOND_END._replace(event_id=JOURNEY[-1].event_id)
    assert told([*recorded, second], stored) == {}
    otherwise = replace(stored, payments={ID: "rejected"})
    assert f"{END}: with another end in the database" in told([*recorded, second], otherwise)


def test_the_ends_are_those_that_contracts_call_so() -> None:
    assert {entry.name for entry in catalogue.entries() if entry.event_type.contract.is_end} == {
        *STATE_BY_END,
        *STATE_BY_REFUND_END,
    }
