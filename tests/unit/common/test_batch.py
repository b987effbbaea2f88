"""The loop over decisions: each message for itself, in order; what fails leaves no trace."""

import gc
import weakref
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common import ids, outbox
from libs.common.batch import Decided, Handlers, Refusal, Unreadable, decide_all
from libs.common.errors import Outage, Poison
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Command, Message, Trace
from libs.common.record import replace
from schemas.payments.events import PaymentCancelled, PaymentRejected, PaymentResumed, PublicReason
from tests.tally.service import UNLUCKY, Counter, Increment, Tally, load, service

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
SERVICE = service()
HANDLERS: Handlers = SERVICE.handlers(None)
PARKING: Handlers = service(parks_keys=True).handlers(None)


def message(counter_id: str, by: int, *, number: int = 0, parks_key: bool = True, body: Any = None) -> Message:
    message_id = ids.named("message", counter_id, str(by), str(number))
    return Message(
        message_id=message_id,
        body=body or Increment(counter_id=counter_id, by=by),
        received_at=START,
        trace=Trace(correlation_id="c", traceparent="t"),
        key=counter_id,
        parks_key=parks_key,
    )


def tally() -> Tally:
    return Tally({id_: Counter(counter_id=id_) for id_ in ("a", "b")})


def encode(event: Event) -> bytes:
    return str(event).encode()


def decide(*messages: Message, handlers: Handlers = HANDLERS, state: Tally | None = None) -> list[Decided]:
    return decide_all(handlers, state or tally(), messages, encode)


def outcomes(decided: Sequence[Decided]) -> list[Outcome]:
    return [result.outcome for result in decided]


def test_messages_are_decided_in_order_on_what_those_before_them_changed() -> None:
    state = tally()
    decided = decide(message("a", 1), message("a", 2), message("b", 5), state=state)
    assert outcomes(decided) == [Outcome.APPLIED] * 3
    assert {c.counter_id: c.total for c in state.counters.updated} == {"a": 3, "b": 5}
    assert [row.headers["ce_sequence"] for result in decided for row in result.rows] == ["1", "2", "1"]


def test_a_refusal_is_applied_and_changes_nothing() -> None:
    state = tally()
    (refused, applied) = decide(message("a", -1), message("a", 1), state=state)
    assert (refused.outcome, refused.rows) == (Outcome.APPLIED, ())
    assert isinstance(refused.refusal, Refusal)
    assert refused.refusal.reason == "negative"
    assert [c.total for c in state.counters.updated] == [1]
    assert applied.rows[0].headers["ce_sequence"] == "1"


def test_a_decision_that_raises_is_dead_and_its_neighbours_are_applied() -> None:
    state = tally()
    decided = decide(message("a", 1), message("a", UNLUCKY), message("a", 2), state=state)
    assert outcomes(decided) == [Outcome.APPLIED, Outcome.DEAD, Outcome.APPLIED]
    assert str(decided[1].error) == "thirteen"
    assert [c.total for c in state.counters.updated] == [3]


def test_what_cant_be_read_is_dead_with_the_reason() -> None:
    (result,) = decide(message("a", 0, body=Unreadable(reason="not Avro")))
    assert isinstance(result.error, Poison)
    assert str(result.error) == "not Avro"


def test_an_event_too_large_for_kafka_is_dead_before_it_is_written() -> None:
    (result,) = decide_all(HANDLERS, tally(), [message("a", 1)], lambda _: b"x" * (outbox.RECORD_BYTES_MAX + 1))
    assert isinstance(result.error, outbox.ValueTooLarge)


@pytest.mark.parametrize("fault", [Outage("the registry"), MemoryError()])
def test_an_outage_while_deciding_is_nobodys_fault(fault: Exception) -> None:
    def away(_: Event) -> bytes:
        raise fault

    with pytest.raises(type(fault)):
        decide_all(HANDLERS, tally(), [message("a", 1)], away)


def test_a_body_nobody_decides_on_is_dead() -> None:
    (result,) = decide(message("a", 1, body=Command()))
    assert result.outcome is Outcome.DEAD


def test_in_a_ledger_what_follows_a_dead_message_of_its_key_waits() -> None:
    decided = decide(message("a", UNLUCKY), message("b", 1), message("a", 2), message("a", 3), handlers=PARKING)
    assert outcomes(decided) == [Outcome.DEAD, Outcome.APPLIED, Outcome.PARKED, Outcome.PARKED]


def test_junk_from_outsiders_parks_nobodys_key() -> None:
    decided = decide(message("a", UNLUCKY, parks_key=False), message("a", 2), handlers=PARKING)
    assert outcomes(decided) == [Outcome.DEAD, Outcome.APPLIED]


def test_the_same_message_leads_to_the_same_events_under_the_same_ids() -> None:
    def ids_of(*decided: Decided) -> list[str]:
        return [row.headers["ce_id"] for result in decided for row in result.rows]

    first = ids_of(*decide(message("a", 1), message("a", 2)))
    assert ids_of(*decide(message("a", 1), message("a", 2))) == first
    assert ids_of(*decide(message("a", 2))) == first[1:], "whatever else is in the batch"
    assert len(set(first)) == 2


def test_handlers_read_events_and_not_commands() -> None:
    assert [kind.__name__ for kind in HANDLERS.reads] == ["CounterIncremented"]
    assert load is HANDLERS.load


def test_a_failed_decision_is_collected_with_all_that_its_error_leads_to() -> None:
    class Witness:
        """In reach of the error's traceback, which in turn holds what holds the error."""

    def fail(_: object, __: object, ___: object) -> Sequence[Event]:
        witness = Witness()
        seen.append(weakref.ref(witness))
        raise ValueError

    seen: list[weakref.ref[Witness]] = []
    (failed,) = decide(message("a", 1), handlers=replace(HANDLERS, decisions={Increment: fail}))
    assert failed.outcome is Outcome.DEAD and seen[0]() is not None
    del failed
    gc.collect()
    assert seen[0]() is None


class Unnumbered(Tally):
    """Which lets happen what it does not know."""

    def number(self, events: Iterable[Event]) -> list[int]:
        return [1 for _ in events]


def test_an_end_has_one_id_whatever_it_is_and_whatever_brings_it_about() -> None:
    """A service that reads its topics again may meet the answers in another order: readers drop what they know."""
    payment_id = ids.new()
    of_it: dict[str, Any] = {"payment_id": payment_id, "debtor_account_id": "a"}
    cancelled = PaymentCancelled(**of_it, cancelled_at=START)
    rejected = PaymentRejected(**of_it, reason=PublicReason.DECLINED, rejected_at=START)
    resumed = PaymentResumed(**of_it, resumed_at=START)

    def ids_of(number: int, *events: Event) -> list[str]:
        handlers = replace(HANDLERS, decisions={Increment: lambda *_: list(events)})
        (decided,) = decide(message("a", 1, number=number), handlers=handlers, state=Unnumbered({}))
        return [row.headers["ce_id"] for row in decided.rows]

    assert len(ids_of(1, cancelled)) == 1
    assert ids_of(1, cancelled) == ids_of(2, resumed, rejected)[1:]
    assert ids_of(1, resumed) == ids_of(1, resumed) != ids_of(2, resumed)
