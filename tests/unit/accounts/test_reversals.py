"""Transfers taken back: by further ones, once, and whole."""

from datetime import timedelta

import pytest

from libs.common.record import Record
from schemas.accounts.events import PostedTransfer, PostedTransferKind, TransfersPosted
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.refusals import RefusalReason
from services.accounts.domain.transfers import reversal_id
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BEN,
    BENS,
    BENS_DOLLARS,
    CLOSED,
    DEBITS_FROZEN,
    EXTERNAL,
    FEES,
    FROZEN,
    FULL,
    POOR,
    START,
    SUSPENSE,
    Books,
    Changes,
    Pay,
    Reserve,
    book,
    booking,
    convert,
    fund,
    reverse,
)

R = RefusalReason
LIQUIDITY, DOLLAR_LIQUIDITY = (house_account_id(AccountKind.LIQUIDITY, currency) for currency in ("EUR", "USD"))
FUNDED, BOOKED = fund(ANNS, 1).transfer_id, booking().transfer_id


# Why a request is refused, in order of precedence: each row breaks what it names and everything that comes after it.

BACK: list[Record] = [book(), reverse()]
REVERSALS: list[tuple[RefusalReason, list[Record], str, Changes]] = [
    (R.TRANSFER_UNKNOWN, [], BOOKED, {}),
    (R.OF_A_PAYMENT, [Pay().initiated, Pay().approved], "payment", {BENS: CLOSED}),
    (R.OF_A_PAYMENT, [Pay(fee_minor=1_00).initiated, Pay(fee_minor=1_00).approved], "fee", {ANNS: CLOSED}),
    (R.OF_A_PAYMENT, [Pay().initiated, Pay().block_requested], "blocking", {ANNS: CLOSED}),
    (
        R.OF_A_PAYMENT,
        [Pay().initiated, Pay().approved, Pay().refund(1)],
        "refund",
        {ANNS: CLOSED},
    ),
    (R.IS_A_REVERSAL, BACK, "reversal", {ANNS: CLOSED, BENS: CLOSED}),
    (R.ALREADY_REVERSED, BACK, BOOKED, {ANNS: CLOSED, BENS: CLOSED | POOR}),
    (R.OF_THE_HOUSE, [], FUNDED, {ANNS: CLOSED | POOR}),
    (R.DEBTOR_ACCOUNT_CLOSED, [book()], BOOKED, {ANNS: CLOSED | FULL, BENS: CLOSED | POOR}),
    (R.DEBTOR_ACCOUNT_FROZEN, [book()], BOOKED, {ANNS: CLOSED | FULL, BENS: FROZEN | POOR}),
    (R.DEBTOR_ACCOUNT_FROZEN, [book()], BOOKED, {ANNS: CLOSED | FULL, BENS: DEBITS_FROZEN | POOR}),
    (R.CREDITOR_ACCOUNT_CLOSED, [book()], BOOKED, {ANNS: CLOSED | FULL, BENS: POOR}),
    (R.CREDITOR_ACCOUNT_FROZEN, [book()], BOOKED, {ANNS: FROZEN | FULL, BENS: POOR}),
    (R.INSUFFICIENT_FUNDS, [book()], BOOKED, {ANNS: FULL, BENS: {"posted_minor": 29_99}}),
    (R.INSUFFICIENT_FUNDS, [book()], BOOKED, {BENS: {"held_minor": 1}}),
    (R.CEILING_EXCEEDED, [book()], BOOKED, {ANNS: {"ceiling_minor": 99_99}}),
]


@pytest.mark.parametrize(("reason", "before", "which", "changes"), REVERSALS)
def test_nothing_is_taken_back_for_the_first_reason_that_applies(
    reason: RefusalReason, before: list[Record], which: str, changes: Changes
) -> None:
    books = Books()
    for body in before:
        books.hears(body)
    books.set(changes)
    ids_by_kind = {transfer.kind.value: transfer.transfer_id for transfer in books.transfers}
    known = books.kept
    asked = reverse(ids_by_kind.get(which, which), by_staff=reason is not R.OF_THE_HOUSE)
    assert books.refuses(asked) == (reason, "transfer_id")
    assert (books.kept, books.events) == (known, [])


def test_a_transfer_is_taken_back_by_a_further_one() -> None:
    books = Books()
    books.hears(book(booking(effective_at=START - timedelta(days=2))))
    known = list(books.transfers), list(books.entries)
    books.now += timedelta(days=1)
    (posted,) = books.hears(reverse())
    assert posted == TransfersPosted(
        link_id=reversal_id(booking().transfer_id),
        account_id=BENS,
        transfers=(
            PostedTransfer(
                transfer_id=reversal_id(booking().transfer_id),
                kind=PostedTransferKind.REVERSAL,
                debit_account_id=BENS,
                credit_account_id=ANNS,
                amount_minor=30_00,
                currency="EUR",
                debit_customer_id=BEN,
                credit_customer_id=ANN,
                reversed_transfer_id=booking().transfer_id,
                effective_at=books.now,
                recorded_at=books.now,
            ),
        ),
        posted_at=books.now,
    )
    assert (books.money(ANNS), books.money(BENS)) == ((100_00, 0, 100_00), (0, 0, 0))
    assert (books.transfers[:-1], books.entries[:-2]) == known, "nothing that was written is changed"
    assert books.transfers[-1].reference == "a mistake"


@pytest.mark.parametrize("which", [0, 1, 2])
def test_linked_transfers_are_taken_back_whole_and_last_one_first(which: int) -> None:
    """Ben has nothing but what the first gave him: only in this order is there money for each."""
    books = Books()
    linked = [booking(1, 100_00), booking(2, 100_00, debit=BENS, credit=ANNS), booking(3, 70_00)]
    books.hears(book(*linked))
    (posted,) = books.hears(reverse(linked[which].transfer_id))
    assert isinstance(posted, TransfersPosted)
    assert [leg.reversed_transfer_id for leg in posted.transfers] == [leg.transfer_id for leg in reversed(linked)]
    assert [(t.link_id, t.link_number) for t in books.transfers[-3:]] == [
        (reversal_id(linked[2].transfer_id), number) for number in range(3)
    ]
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (100_00, 0)
    for leg in linked:
        assert books.refuses(reverse(leg.transfer_id)) == ("already_reversed", "transfer_id")
        assert books.refuses(reverse(reversal_id(leg.transfer_id))) == ("is_a_reversal", "transfer_id")


def test_linked_transfers_are_not_taken_back_in_part() -> None:
    books = Books()
    books.hears(book(booking(1, 10_00), booking(2, 10_00, credit=SUSPENSE), booking(3, 10_00), by_staff=True))
    books.hears(book(booking(4, 10_01, debit=BENS, credit=ANNS)))
    before = books.kept
    assert books.refuses(reverse()) == ("insufficient_funds", "transfer_id")
    assert (books.kept, books.events) == (before, [])


def test_a_transfer_is_taken_back_once_even_within_one_batch() -> None:
    books = Books()
    books.hears(book(booking(1, 30_00)), book(booking(2, 70_00)))
    first, second = books.run([reverse(), reverse()])
    assert first.refusal is None
    assert second.refusal is not None and second.refusal.reason == "already_reversed"
    assert books.money(ANNS)[0] == 30_00


def test_a_transfer_may_be_taken_back_in_the_batch_it_was_made_in() -> None:
    """What a batch decides does not hang on where it was cut."""
    books = Books()
    books.hears(book(booking(1, 10_00), booking(2, 20_00)), reverse(booking(2).transfer_id))
    assert books.told == ["TransfersPosted", "TransfersPosted"]
    assert books.money(ANNS)[0] == 100_00
    (again,) = books.run([reverse()])
    assert again.refusal is not None and again.refusal.reason == "already_reversed"


def test_what_was_refused_in_the_same_batch_was_never_made_and_is_not_taken_back() -> None:
    books = Books()
    results = books.run([book(booking(1, 10_00), booking(2, 100_00)), reverse()])
    assert [result.refusal.reason for result in results if result.refusal] == ["insufficient_funds", "transfer_unknown"]


def test_a_funding_is_taken_back_if_the_money_is_still_there() -> None:
    books = Books()
    books.hears(reverse(FUNDED))
    assert (books.money(ANNS)[0], books.money(EXTERNAL)[0]) == (0, 0)
    spent = Books()
    spent.hears(book(booking(1, 1)))
    assert spent.refuses(reverse(FUNDED)) == ("insufficient_funds", "transfer_id")


def test_a_conversion_is_taken_back_whole() -> None:
    books = Books()
    books.hears(convert(33_33))
    (posted,) = books.hears(reverse(convert().transfer_id))
    assert isinstance(posted, TransfersPosted) and len(posted.transfers) == 2
    assert [books.money(id_)[0] for id_ in (ANNS, LIQUIDITY, DOLLAR_LIQUIDITY, BENS_DOLLARS)] == [100_00, 0, 0, 0]


def test_what_was_posted_of_a_hold_by_request_can_be_taken_back() -> None:
    books = Books()
    books.hears(Reserve().placed, Reserve().posted(10_00))
    books.hears(reverse(books.transfers[-1].transfer_id))
    assert (books.money(ANNS), books.money(BENS)[0]) == ((100_00, 20_00, 80_00), 0)


def test_staff_can_correct_a_fee_by_a_booking_where_nothing_can_be_taken_back() -> None:
    books = Books()
    pay = Pay(fee_minor=1_00)
    books.hears(pay.initiated, pay.approved)
    books.hears(book(booking(1, 1_00, debit=FEES, credit=ANNS), by_staff=True))
    assert (books.money(ANNS)[0], books.money(FEES)[0]) == (70_00, 0)
