"""Refunds: at most what was posted, each once, from the one who was paid."""

from collections.abc import Mapping
from typing import Any

import pytest

from libs.common.record import Record, replace
from schemas.accounts.events import RefundPosted, RefundRefusal, RefundRefused
from schemas.payments.events import RefundRequested
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import RefundStatus
from tests.unit.accounts.books import (
    ANNS,
    BENS,
    CLOSED,
    DEBITS_FROZEN,
    FEES,
    FROZEN,
    FULL,
    OPEN,
    POOR,
    START,
    Books,
    Changes,
    Pay,
    Reserve,
)

PAID: list[Record] = [Pay().initiated, Pay().approved]
BROKEN: Changes = {BENS: CLOSED | POOR, ANNS: CLOSED | FULL}


def refund_of(payment_id: str, amount_minor: int = 30_01) -> RefundRequested:
    return replace(Pay().refund(amount_minor), payment_id=payment_id)


NOT_POSTED: list[list[Record]] = [
    [],
    [Pay().initiated],
    [Pay(amount_minor=100_01).initiated],
    [Pay().initiated, Pay().cancelled],
    [Pay().initiated, Pay().block_requested],
]

# Each row breaks what it names and everything that comes after it.
REFUSED: list[tuple[RefundRefusal, list[Record], RefundRequested, Changes]] = [
    *((RefundRefusal.PAYMENT_NOT_POSTED, before, Pay().refund(30_01), BROKEN) for before in NOT_POSTED),
    (
        RefundRefusal.PAYMENT_NOT_POSTED,
        [Reserve().placed, Reserve().posted()],
        refund_of(Reserve().hold_id, 1),
        {},
    ),
    (RefundRefusal.AMOUNT_EXCEEDS_POSTED, PAID, Pay().refund(30_01), BROKEN),
    (RefundRefusal.AMOUNT_EXCEEDS_POSTED, [*PAID, Pay().refund(10_00)], Pay().refund(20_01, 2), BROKEN),
    (
        RefundRefusal.AMOUNT_EXCEEDS_POSTED,
        [Pay().initiated, Pay().approved_of(20_00)],
        Pay().refund(20_01),
        BROKEN,
    ),
    (RefundRefusal.CREDITOR_ACCOUNT_CLOSED, PAID, Pay().refund(30_00), BROKEN),
    (RefundRefusal.CREDITOR_ACCOUNT_FROZEN, PAID, Pay().refund(30_00), {**BROKEN, BENS: FROZEN | POOR}),
    (RefundRefusal.CREDITOR_ACCOUNT_FROZEN, PAID, Pay().refund(30_00), {**BROKEN, BENS: DEBITS_FROZEN | POOR}),
    (RefundRefusal.DEBTOR_ACCOUNT_CLOSED, PAID, Pay().refund(30_00), {**BROKEN, BENS: POOR}),
    (RefundRefusal.DEBTOR_ACCOUNT_FROZEN, PAID, Pay().refund(30_00), {BENS: POOR, ANNS: FROZEN | FULL}),
    (RefundRefusal.INSUFFICIENT_FUNDS, PAID, Pay().refund(30_00), {BENS: {"posted_minor": 29_99}, ANNS: FULL}),
    (RefundRefusal.INSUFFICIENT_FUNDS, PAID, Pay().refund(30_00), {BENS: {"held_minor": 1}, ANNS: FULL}),
    (RefundRefusal.CEILING_EXCEEDED, PAID, Pay().refund(30_00), {ANNS: {"ceiling_minor": 99_99}}),
]


@pytest.mark.parametrize(("reason", "before", "request_", "changes"), REFUSED)
def test_nothing_is_refunded_for_the_first_reason_that_applies(
    reason: RefundRefusal, before: list[Record], request_: RefundRequested, changes: Changes
) -> None:
    books = Books()
    if before:
        books.hears(*before)
    books.set(changes)
    money = dict(books.accounts), dict(books.holds), list(books.entries)
    (refused,) = books.hears(request_)
    assert refused == RefundRefused(
        refund_id=request_.refund_id,
        payment_id=request_.payment_id,
        debtor_account_id=ANNS,
        creditor_account_id=BENS,
        reason=reason,
        refused_at=START,
    )
    assert (books.accounts, books.holds, books.entries) == money


def test_no_refusal_to_refund_is_left_out() -> None:
    assert {row[0] for row in REFUSED} == set(RefundRefusal) - {RefundRefusal.UNKNOWN}


def test_a_refund_is_a_movement_of_its_own_from_the_one_who_was_paid() -> None:
    books = Books()
    books.hears(*PAID)
    known = list(books.transfers)
    (posted,) = books.hears(Pay().refund(10_00))
    assert isinstance(posted, RefundPosted)
    assert (posted.debtor_account_id, posted.creditor_account_id) == (ANNS, BENS), "as the payment names them"
    assert (posted.amount_minor, posted.currency, posted.posted_at) == (10_00, "EUR", START)
    assert (books.money(ANNS), books.money(BENS)) == ((80_00, 0, 80_00), (20_00, 0, 20_00))
    assert books.transfers[:-1] == known
    transfer = books.transfers[-1]
    assert (transfer.kind, transfer.payment_id) == (TransferKind.REFUND, Pay().payment_id)
    assert (transfer.debit_account_id, transfer.credit_account_id) == (BENS, ANNS)
    assert transfer.transfer_id == posted.transfer_id
    assert books.holds[Pay().payment_id].refunded_minor == 10_00


def test_several_refunds_go_up_to_what_was_posted() -> None:
    books = Books()
    books.hears(*PAID)
    books.hears(*(Pay().refund(10_00, number) for number in (1, 2, 3, 4)))
    assert books.told == ["RefundPosted", "RefundPosted", "RefundPosted", "RefundRefused"]
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (100_00, 0)


@pytest.mark.parametrize("overdue", [False, True])
@pytest.mark.parametrize("changes", [{}, {BENS: FROZEN}])
def test_asked_again_it_answers_alike_and_moves_once(changes: Mapping[str, Any], overdue: bool) -> None:
    books = Books()
    books.hears(*PAID)
    books.set(changes)
    first = books.hears(Pay().refund(10_00))[0]
    books.set({BENS: FROZEN} if not changes else {BENS: OPEN})
    money = dict(books.accounts), list(books.entries)
    (again,) = books.hears(Pay().refund_overdue(10_00) if overdue else Pay().refund(10_00))
    assert again == first
    assert (books.accounts, books.entries) == money


def test_a_refund_first_heard_of_because_it_is_overdue_is_carried_out() -> None:
    books = Books()
    books.hears(*PAID, Pay().refund_overdue(10_00))
    assert books.told == ["FundsHeld", "FundsPosted", "RefundPosted"]
    (again,) = books.hears(Pay().refund(10_00))
    assert isinstance(again, RefundPosted) and again.transfer_id == books.transfers[-1].transfer_id
    assert books.money(BENS)[0] == 20_00


def test_a_refused_refund_is_asked_for_again_under_another_id() -> None:
    books = Books()
    books.hears(*PAID)
    books.set({BENS: FROZEN})
    books.hears(Pay().refund(10_00))
    books.set({BENS: OPEN})
    books.hears(Pay().refund(10_00), Pay().refund(10_00, 2))
    assert books.told == ["RefundRefused", "RefundPosted"]
    assert {refund.status for refund in books.refunds.values()} == {RefundStatus.REFUSED, RefundStatus.POSTED}


def test_of_what_was_captured_in_part_no_more_is_refunded_and_the_fee_is_the_houses() -> None:
    books = Books()
    pay = Pay(amount_minor=30_00, fee_minor=1_00)
    books.hears(pay.initiated, pay.approved_of(20_00, 50))
    books.hears(pay.refund(20_01), pay.refund(20_00, 2), pay.refund(1, 3))
    assert books.told == ["RefundRefused", "RefundPosted", "RefundRefused"]
    assert (books.money(ANNS)[0], books.money(BENS)[0], books.money(FEES)[0]) == (99_50, 0, 50)


@pytest.mark.parametrize("floor_minor", [0, -30_00])
def test_a_refund_goes_down_to_the_floor_of_the_one_who_was_paid(floor_minor: int) -> None:
    books = Books()
    books.hears(*PAID)
    books.set({BENS: {"floor_minor": floor_minor, "posted_minor": 30_00 + floor_minor}})
    assert books.hears(Pay().refund(30_00)) and books.told == ["RefundPosted"]
    assert books.money(BENS)[2] == floor_minor


def test_a_refund_is_held_up_by_no_limit() -> None:
    """It is not a payment of the one who was paid."""
    books = Books()
    books.hears(*PAID)
    books.set({BENS: {"tier": 0}})
    assert books.hears(Pay().refund(30_00)) and books.told == ["RefundPosted"]
    assert books.accounts[BENS].spent_on is None


def test_a_refund_reaches_an_account_that_may_receive_only() -> None:
    books = Books()
    books.hears(*PAID)
    books.set({ANNS: DEBITS_FROZEN})
    assert books.hears(Pay().refund(30_00)) and books.told == ["RefundPosted"]
