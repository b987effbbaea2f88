"""Money that is not there, by leave: whatever was begun with it is called off without a trace in the balances."""

from datetime import timedelta

import pytest

from libs.common.record import Record
from schemas.accounts.events import PropertyBlocked
from schemas.compliance.events import CustomerRefused
from services.accounts.domain.customers import Freeze, SetBounds
from services.accounts.domain.journal import TransferKind
from tests.unit.accounts.audit import require_balance, require_journal
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BENS,
    BLOCKED_FUNDS,
    EXTERNAL,
    FEES,
    LIFETIME,
    START,
    Books,
    Pay,
    Reserve,
    book,
    booking,
    fund,
    reverse,
)

HELD = Reserve(1, 150_00)
PAID = Pay(1, 148_00, fee_minor=2_00)


def may_overdraw(floor_minor: int) -> SetBounds:
    return SetBounds(account_id=ANNS, currency="EUR", floor_minor=floor_minor, ceiling_minor=None)


def overdrawn(*said: Record, floor_minor: int = -50_00) -> Books:
    """Ann has 100.00 and may go down to -50.00, which she does by what is said."""
    books = Books()
    books.hears(may_overdraw(floor_minor), *said)
    assert books.money(ANNS)[2] == floor_minor
    require_sound(books)
    return books


def require_sound(books: Books) -> None:
    require_balance(books)
    require_journal(books)


NOW, LATER = timedelta(0), LIFETIME
CALLED_OFF: dict[str, tuple[Record, list[Record], timedelta, tuple[int, int], int]] = {
    # What is held, what becomes of it, and when; what then stands on Ann's account, posted and held, and on Ben's.
    "a hold, voided": (HELD.placed, [HELD.voided], NOW, (100_00, 0), 0),
    "a hold, run out": (HELD.placed, [HELD.expired], LATER, (100_00, 0), 0),
    "a hold, voided after a part": (HELD.placed, [HELD.posted(120_00), HELD.voided], NOW, (-20_00, 0), 120_00),
    "a hold, run out after a part": (HELD.placed, [HELD.posted(120_00), HELD.expired], LATER, (-20_00, 0), 120_00),
    "a hold, given back by its last part": (HELD.placed, [HELD.posted(1, is_final=True)], NOW, (99_99, 0), 1),
    "a payment, rejected": (PAID.initiated, [PAID.rejected], NOW, (100_00, 0), 0),
    "a payment, cancelled": (PAID.initiated, [PAID.cancelled], NOW, (100_00, 0), 0),
    "a payment, released": (PAID.initiated, [PAID.release_requested], NOW, (100_00, 0), 0),
    "a payment, run out": (PAID.initiated, [PAID.expired], LATER, (100_00, 0), 0),
    "a payment, captured in part": (PAID.initiated, [PAID.approved_of(110_00, 1_00)], NOW, (-11_00, 0), 110_00),
}


@pytest.mark.parametrize(("held", "ends", "after", "anns", "bens"), CALLED_OFF.values(), ids=CALLED_OFF)
def test_what_an_overdraft_has_set_aside_is_given_back_once_and_to_the_cent(
    held: Record, ends: list[Record], after: timedelta, anns: tuple[int, int], bens: int
) -> None:
    books = overdrawn(held)
    *parts, end = ends
    books.hears(*parts)
    books.now += after
    books.hears(end)
    assert (books.money(ANNS)[:2], books.money(BENS)) == (anns, (bens, 0, bens))
    require_sound(books)
    known = books.money(ANNS), list(books.transfers), list(books.entries)
    books.run([end])
    assert (books.money(ANNS), books.transfers, books.entries) == known, "said again it changes nothing"


@pytest.mark.parametrize("end", [HELD.voided, HELD.expired])
def test_an_overdraft_that_is_frozen_or_may_go_no_further_still_gets_back_what_it_had_set_aside(end: Record) -> None:
    books = overdrawn(HELD.placed)
    books.hears(Freeze(account_id=ANNS))
    assert books.refuses(may_overdraw(0)) == ("bound_is_passed", "overdraft"), "it is overdrawn as it was allowed to"
    books.now += LIFETIME if end == HELD.expired else NOW
    books.hears(end)
    assert books.money(ANNS) == (100_00, 0, 100_00)
    assert books.refuses(may_overdraw(0)) is None
    require_sound(books)


def test_a_transfer_that_overdrew_an_account_is_taken_back_by_one_of_two_legs() -> None:
    books = overdrawn(book(booking(1, 150_00)))
    assert books.money(ANNS) == (-50_00, 0, -50_00)
    books.hears(reverse())
    assert (books.money(ANNS), books.money(BENS)) == ((100_00, 0, 100_00), (0, 0, 0))
    transfer = books.transfers[-1]
    assert [(entry.account_id, entry.amount_minor, entry.balance_minor) for entry in books.entries[-2:]] == [
        (BENS, -150_00, 0),
        (ANNS, 150_00, 100_00),
    ]
    assert (transfer.kind, transfer.amount_minor) == (TransferKind.REVERSAL, 150_00)
    assert books.refuses(reverse()) == ("already_reversed", "transfer_id")
    require_sound(books)


def test_a_capture_that_overdrew_an_account_is_taken_back_and_what_is_left_of_its_hold_stays_held() -> None:
    books = overdrawn(HELD.placed, HELD.posted(120_00))
    books.hears(reverse(books.transfers[-1].transfer_id))
    assert (books.money(ANNS), books.money(BENS)) == ((100_00, 30_00, 70_00), (0, 0, 0))
    books.hears(HELD.voided)
    assert books.money(ANNS) == (100_00, 0, 100_00), "what was taken back is not given back once more"
    require_sound(books)


def test_what_an_overdraft_rests_on_is_taken_back_as_far_as_the_floor_and_no_further() -> None:
    funding = fund(ANNS, 1).transfer_id
    books = Books()
    books.hears(may_overdraw(-50_00), book(booking(1, 50_01)))
    assert books.refuses(reverse(funding)) == ("insufficient_funds", "transfer_id")
    assert (books.money(ANNS)[0], books.money(EXTERNAL)[0]) == (49_99, -100_00)
    books.hears(fund(ANNS, 1, transfer="a cent"), reverse(funding))
    assert (books.money(ANNS), books.money(EXTERNAL)[0]) == ((-50_00, 0, -50_00), -1)
    require_sound(books)


def test_a_payment_that_overdrew_an_account_is_refunded_into_the_overdraft() -> None:
    books = overdrawn(PAID.initiated, PAID.approved)
    assert (books.money(BENS)[0], books.money(FEES)[0]) == (148_00, 2_00)
    books.hears(PAID.refund(30_00))
    assert books.money(ANNS) == (-20_00, 0, -20_00)
    books.hears(PAID.refund(118_00, 2))
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (98_00, 0)
    require_sound(books)


def test_of_a_listed_customers_overdraft_nothing_is_blocked_until_there_is_something() -> None:
    """An account below zero holds no property; what a hold gives back is blocked as far as it is above zero."""
    first, second = Reserve(1, 60_00), Reserve(2, 90_00)
    books = overdrawn(first.placed, second.placed)
    books.hears(CustomerRefused(customer_id=ANN, is_listed=True, refused_at=START))
    assert books.told == ["AccountFrozen"] and books.money(ANNS) == (100_00, 150_00, -50_00)
    books.hears(first.voided)
    (blocked,) = (event for event in books.events if isinstance(event, PropertyBlocked))
    assert (blocked.amount_minor, books.money(ANNS)) == (10_00, (90_00, 90_00, 0))
    books.hears(second.voided)
    assert (books.money(ANNS), books.money(BLOCKED_FUNDS)[0]) == ((0, 0, 0), 100_00)
    require_sound(books)
