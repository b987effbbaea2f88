"""Money moved by request: funded and booked, all of it or nothing."""

from datetime import timedelta

import pytest

from libs.common import ids
from libs.common.record import Record, replace
from schemas.accounts.events import PostedTransfer, PostedTransferKind, TransfersPosted
from services.accounts.domain.chart import HOUSE_KINDS, AccountKind, house_account_id
from services.accounts.domain.customers import Freeze
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import BALANCE_MINOR_MAX
from services.accounts.domain.refusals import RefusalReason
from services.accounts.domain.transfers import Booking, Fund
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BEN,
    BENS,
    BLAMED,
    BLOCKED_FUNDS,
    CLOSED,
    EXTERNAL,
    FROZEN,
    FULL,
    NOBODYS,
    OBSTACLES,
    START,
    SUSPENSE,
    Books,
    Changes,
    Reserve,
    book,
    booking,
    fund,
)

R = RefusalReason
# Why a request is refused, in order of precedence: each row breaks what it names and everything that comes after it.

FUNDINGS: list[tuple[RefusalReason, str, Record, Changes]] = [
    (R.ACCOUNT_UNKNOWN, "account_id", fund(NOBODYS, 1, "USD"), {}),
    (R.ACCOUNT_UNKNOWN, "account_id", fund(EXTERNAL, 1, "USD"), {}),
    (R.ACCOUNT_UNKNOWN, "account_id", fund(BLOCKED_FUNDS, 1), {}),
    (R.ACCOUNT_CLOSED, "account_id", fund(ANNS, 1, "USD"), {ANNS: CLOSED | FULL}),
    (R.ACCOUNT_FROZEN, "account_id", fund(ANNS, 1, "USD"), {ANNS: FROZEN | FULL}),
    (R.CURRENCY_NOT_HELD, "currency", fund(ANNS, 1, "USD"), {ANNS: FULL}),
    (R.INSUFFICIENT_FUNDS, "amount", fund(ANNS, 2), {EXTERNAL: {"posted_minor": 1 - BALANCE_MINOR_MAX}, ANNS: FULL}),
    (R.CEILING_EXCEEDED, "amount", fund(ANNS, 1), {ANNS: {"ceiling_minor": 100_00}}),
    (R.CEILING_EXCEEDED, "amount", fund(ANNS, BALANCE_MINOR_MAX), {EXTERNAL: {"posted_minor": 0}}),
]

BOOKINGS: list[tuple[RefusalReason, str, Record, Changes]] = [
    (
        R(obstacle),
        BLAMED.get(obstacle, "amount"),
        book(booking(debit=debit, credit=credit, currency=currency)),
        changes,
    )
    for obstacle, debit, credit, currency, changes in OBSTACLES
]


@pytest.mark.parametrize(("reason", "field", "request_", "changes"), FUNDINGS + BOOKINGS)
def test_no_money_moves_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, request_: Record, changes: Changes
) -> None:
    books = Books(changes=changes)
    before = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (before, [])


# Fundings


def test_a_funding_may_count_from_an_earlier_day_than_it_was_entered() -> None:
    books = Books()
    earlier = START - timedelta(days=3)
    command = Fund(
        transfer_id=ids.named("late"),
        account_id=BENS,
        amount_minor=1_00,
        currency="EUR",
        reference="found later",
        effective_at=earlier,
    )
    (posted,) = books.hears(command)
    assert isinstance(posted, TransfersPosted)
    (leg,) = posted.transfers
    assert (leg.kind, leg.effective_at, posted.posted_at) == (PostedTransferKind.FUNDING, earlier, START)
    transfer = books.transfers[-1]
    assert (transfer.effective_at, transfer.recorded_at, transfer.reference) == (earlier, START, "found later")
    assert {(entry.effective_at, entry.recorded_at) for entry in books.entries[-2:]} == {(earlier, START)}


@pytest.mark.parametrize(("ceiling_minor", "is_funded"), [(101_00, True), (100_99, False), (None, True)])
def test_money_from_outside_is_taken_up_to_the_ceiling(ceiling_minor: int | None, is_funded: bool) -> None:
    books = Books(changes={ANNS: {"ceiling_minor": ceiling_minor}})
    assert (books.refuses(fund(ANNS, 1_00, transfer="second")) is None) is is_funded


# Bookings


def test_a_booking_moves_money_at_once() -> None:
    books = Books()
    (posted,) = books.hears(book(booking(reference="rent", metadata={"month": "5"})))
    assert posted == TransfersPosted(
        link_id=booking().transfer_id,
        account_id=ANNS,
        transfers=(
            PostedTransfer(
                transfer_id=booking().transfer_id,
                kind=PostedTransferKind.BOOKING,
                debit_account_id=ANNS,
                credit_account_id=BENS,
                amount_minor=30_00,
                currency="EUR",
                debit_customer_id=ANN,
                credit_customer_id=BEN,
                effective_at=START,
                recorded_at=START,
            ),
        ),
        posted_at=START,
    )
    assert (books.money(ANNS), books.money(BENS)) == ((70_00, 0, 70_00), (30_00, 0, 30_00))
    transfer = books.transfers[-1]
    assert (transfer.kind, transfer.link_id, transfer.link_number) == (TransferKind.BOOKING, None, 0)
    assert (transfer.reference, transfer.metadata) == ("rent", {"month": "5"})
    assert [(e.account_id, e.amount_minor, e.balance_minor) for e in books.entries[-2:]] == [
        (ANNS, -30_00, 70_00),
        (BENS, 30_00, 30_00),
    ]


def test_a_booking_may_count_from_an_earlier_day_than_it_was_entered() -> None:
    books = Books()
    earlier = START - timedelta(days=40)
    books.hears(book(booking(effective_at=earlier), booking(2)))
    assert [(t.effective_at, t.recorded_at) for t in books.transfers[-2:]] == [(earlier, START), (START, START)]


def test_linked_bookings_are_made_together_in_their_order() -> None:
    books = Books()
    linked = [booking(number, number * 1_00) for number in (1, 2, 3)]
    (posted,) = books.hears(book(*linked))
    assert isinstance(posted, TransfersPosted)
    assert (posted.link_id, [leg.transfer_id for leg in posted.transfers]) == (
        linked[0].transfer_id,
        [leg.transfer_id for leg in linked],
    )
    assert [(t.link_id, t.link_number) for t in books.transfers[-3:]] == [
        (linked[0].transfer_id, number) for number in (0, 1, 2)
    ]
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (94_00, 6_00)


@pytest.mark.parametrize(
    ("bad", "reason", "field"),
    [
        (booking(4, debit=NOBODYS), "debtor_account_unknown", "transfers.3.debit_account_id"),
        (booking(4, credit=NOBODYS), "creditor_account_unknown", "transfers.3.credit_account_id"),
        (booking(4, currency="USD"), "currency_not_held", "transfers.3.currency"),
        (booking(4, 97_01), "insufficient_funds", "transfers.3.amount"),
        (booking(4, 5_00, credit=BENS), "ceiling_exceeded", "transfers.3.credit_account_id"),
    ],
)
def test_linked_bookings_leave_no_trace_if_the_last_of_them_fails(bad: Booking, reason: str, field: str) -> None:
    books = Books(changes={BENS: {"ceiling_minor": 7_99}})
    before = books.kept
    assert books.refuses(book(*(booking(number, 1_00) for number in (1, 2, 3)), bad)) == (reason, field)
    assert (books.kept, books.events) == (before, [])


def test_linked_bookings_that_fail_do_not_disturb_their_neighbours() -> None:
    books = Books()
    one, two = book(booking(1, 40_00)), book(booking(4, 60_00))
    results = books.run([one, book(booking(2, 50_00), booking(3, 50_00)), two])
    assert [result.refusal is None for result in results] == [True, False, True]
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (0, 100_00)


def test_one_linked_booking_may_give_what_the_next_one_takes() -> None:
    there, back = booking(1, 100_00), booking(2, 60_00, debit=BENS, credit=ANNS)
    books = Books()
    books.hears(book(there, back))
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (60_00, 40_00)
    assert Books().refuses(book(back, there)) == ("insufficient_funds", "transfers.0.amount"), "in their order"


def test_linked_bookings_may_not_pass_a_floor_even_for_a_moment() -> None:
    books = Books()
    assert books.refuses(book(booking(1, 100_01), booking(2, 1, debit=BENS, credit=ANNS))) == (
        "insufficient_funds",
        "transfers.0.amount",
    )


@pytest.mark.parametrize("kind", [kind for kind in HOUSE_KINDS if kind is not AccountKind.BLOCKED_FUNDS])
def test_only_staff_may_book_on_accounts_of_the_house(kind: AccountKind) -> None:
    books = Books()
    house = house_account_id(kind, "EUR")
    to, from_ = booking(1, credit=house), booking(2, debit=house, credit=BENS)
    assert books.refuses(book(to)) == ("creditor_account_unknown", "credit_account_id")
    assert books.refuses(book(from_)) == ("debtor_account_unknown", "debit_account_id")
    before = books.money(house)[0]
    books.hears(book(to, by_staff=True))
    assert books.money(house)[0] == before + 30_00
    books.hears(book(replace(from_, amount_minor=1_000_00), by_staff=True))
    assert books.money(house)[0] == before - 970_00, "an account of the house has no floor"


@pytest.mark.parametrize("by_staff", [False, True])
def test_what_is_blocked_is_moved_by_no_booking_to_or_from(by_staff: bool) -> None:
    books = Books()
    for other in (ANNS, SUSPENSE) if by_staff else (ANNS,):
        to, from_ = booking(debit=other, credit=BLOCKED_FUNDS), booking(debit=BLOCKED_FUNDS, credit=other)
        assert books.refuses(book(to, by_staff=by_staff)) == ("creditor_account_unknown", "credit_account_id")
        assert books.refuses(book(from_, by_staff=by_staff)) == ("debtor_account_unknown", "debit_account_id")


@pytest.mark.parametrize(
    ("amount_minor", "changes"),
    [
        (100_00, {}),
        (70_00, {ANNS: {"held_minor": 30_00}}),
        (70_00, {ANNS: {"floor_minor": 30_00}}),
        (150_00, {ANNS: {"floor_minor": -50_00}}),
        (30_00, {BENS: {"ceiling_minor": 30_00}}),
        (30_00, {BENS: {"ceiling_minor": 10_00, "posted_minor": -20_00, "floor_minor": -20_00}}),
    ],
)
def test_money_moves_up_to_the_last_cent_of_floor_and_ceiling(amount_minor: int, changes: Changes) -> None:
    books = Books(changes=changes)
    assert books.refuses(book(booking(1, amount_minor + 1))) is not None
    books.hears(book(booking(1, amount_minor)))


def test_a_ceiling_counts_what_is_posted_and_not_what_is_held() -> None:
    """What is held may be given back."""
    books = Books(changes={ANNS: {"ceiling_minor": 100_00}})
    books.hears(Reserve(1, 50_00).placed)
    assert books.refuses(fund(ANNS, 1, transfer="second")) == ("ceiling_exceeded", "amount")


def test_an_account_frozen_for_debits_is_paid_and_does_not_pay() -> None:
    books = Books()
    books.hears(book(), Freeze(account_id=BENS, may_receive=True), book(booking(2)))
    assert books.money(BENS)[0] == 60_00
    assert books.refuses(book(booking(3, 1, debit=BENS, credit=ANNS))) == ("debtor_account_frozen", "debit_account_id")
