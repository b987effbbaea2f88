"""Money moved by request: funded, booked, converted, taken back; all of it or nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import ids
from libs.common.money import AMOUNT_MINOR_MAX, SCALES
from libs.common.record import Record, replace
from schemas.accounts.events import PostedTransfer, PostedTransferKind, TransfersPosted
from schemas.compliance.events import CustomerVerified
from services.accounts.domain.chart import HOUSE_KINDS, AccountKind, house_account_id
from services.accounts.domain.customers import Freeze
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.refusals import RefusalReason
from services.accounts.domain.transfers import Booking, Fund, conversion, reversal_id
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BENS,
    BENS_DOLLARS,
    BLAMED,
    BLOCKED_FUNDS,
    CLOSED,
    DEBITS_FROZEN,
    EXTERNAL,
    FEES,
    FROZEN,
    FULL,
    NOBODYS,
    OBSTACLES,
    POOR,
    SPENT_DAY,
    SPENT_MONTH,
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

FUNDINGS: list[tuple[RefusalReason, str, Record, Changes]] = [
    (R.ACCOUNT_UNKNOWN, "account_id", fund(NOBODYS, 1, "USD"), {}),
    (R.ACCOUNT_UNKNOWN, "account_id", fund(EXTERNAL, 1, "USD"), {}),
    (R.ACCOUNT_UNKNOWN, "account_id", fund(BLOCKED_FUNDS, 1), {}),
    (R.ACCOUNT_CLOSED, "account_id", fund(ANNS, 1, "USD"), {ANNS: CLOSED | FULL}),
    (R.ACCOUNT_FROZEN, "account_id", fund(ANNS, 1, "USD"), {ANNS: FROZEN | FULL}),
    (R.CURRENCY_NOT_HELD, "currency", fund(ANNS, 1, "USD"), {ANNS: FULL}),
    (R.CEILING_EXCEEDED, "amount", fund(ANNS, 1), {ANNS: {"ceiling_minor": 100_00}}),
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

FULL_OF_DOLLARS: Changes = {ANNS: POOR, BENS_DOLLARS: FULL}
CONVERSIONS: list[tuple[RefusalReason, str, Record, Changes]] = [
    (R.AMOUNT_TOO_SMALL, "amount", convert(1, "0.99", debit=NOBODYS, credit=NOBODYS), {}),
    (R.AMOUNT_TOO_LARGE, "amount", convert(10**6, "1000000000.01", debit=NOBODYS, credit=NOBODYS), {}),
    (R.DEBTOR_ACCOUNT_UNKNOWN, "debit_account_id", convert(debit=NOBODYS, credit=NOBODYS), {}),
    (R.DEBTOR_ACCOUNT_UNKNOWN, "debit_account_id", convert(debit=EXTERNAL), {}),
    (R.CREDITOR_ACCOUNT_UNKNOWN, "credit_account_id", convert(credit=NOBODYS), {ANNS: CLOSED | POOR}),
    (R.CREDITOR_ACCOUNT_UNKNOWN, "credit_account_id", convert(credit=DOLLAR_LIQUIDITY), {}),
    (
        R.DEBTOR_ACCOUNT_CLOSED,
        "debit_account_id",
        convert(currency="USD", credited_currency="EUR"),
        {ANNS: CLOSED | POOR, BENS_DOLLARS: CLOSED | FULL},
    ),
    (
        R.DEBTOR_ACCOUNT_FROZEN,
        "debit_account_id",
        convert(currency="USD", credited_currency="EUR"),
        {ANNS: FROZEN | POOR, BENS_DOLLARS: CLOSED | FULL},
    ),
    (
        R.DEBTOR_ACCOUNT_FROZEN,
        "debit_account_id",
        convert(currency="USD", credited_currency="EUR"),
        {ANNS: DEBITS_FROZEN | POOR, BENS_DOLLARS: FROZEN | FULL},
    ),
    (
        R.CREDITOR_ACCOUNT_CLOSED,
        "credit_account_id",
        convert(currency="USD", credited_currency="EUR"),
        {ANNS: POOR, BENS_DOLLARS: CLOSED | FULL},
    ),
    (
        R.CREDITOR_ACCOUNT_FROZEN,
        "credit_account_id",
        convert(currency="USD", credited_currency="EUR"),
        {ANNS: POOR, BENS_DOLLARS: FROZEN | FULL},
    ),
    (R.CURRENCY_NOT_HELD, "currency", convert(currency="USD", credited_currency="EUR"), FULL_OF_DOLLARS),
    (R.CURRENCY_NOT_HELD, "credited_currency", convert(credit=BENS), {ANNS: POOR, BENS: FULL}),
    (R.LIMIT_EXCEEDED, "amount", convert(), {ANNS: SPENT_DAY | POOR, BENS_DOLLARS: FULL}),
    (R.DAILY_LIMIT_EXCEEDED, "amount", convert(), {ANNS: SPENT_DAY, BENS_DOLLARS: FULL}),
    (R.MONTHLY_LIMIT_EXCEEDED, "amount", convert(), {ANNS: SPENT_MONTH, BENS_DOLLARS: FULL}),
    (R.INSUFFICIENT_FUNDS, "amount", convert(100_01), {BENS_DOLLARS: FULL}),
    (R.CEILING_EXCEEDED, "credit_account_id", convert(30_00, "1.0001"), {BENS_DOLLARS: {"ceiling_minor": 29_99}}),
]


@pytest.mark.parametrize(("reason", "field", "request_", "changes"), FUNDINGS + BOOKINGS + CONVERSIONS)
def test_no_money_moves_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, request_: Record, changes: Changes
) -> None:
    books = Books(changes=changes)
    before = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (before, [])


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
    assert books.refuses(reverse(ids_by_kind.get(which, which))) == (reason, "transfer_id")
    assert (books.kept, books.events) == (known, [])


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
        debit_account_id=ANNS,
        transfers=(
            PostedTransfer(
                transfer_id=booking().transfer_id,
                kind=PostedTransferKind.BOOKING,
                debit_account_id=ANNS,
                credit_account_id=BENS,
                amount_minor=30_00,
                currency="EUR",
                effective_at=START,
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
    books.hears(book(to, with_house=True))
    assert books.money(house)[0] == before + 30_00
    books.hears(book(replace(from_, amount_minor=1_000_00), with_house=True))
    assert books.money(house)[0] == before - 970_00, "an account of the house has no floor"


@pytest.mark.parametrize("with_house", [False, True])
def test_what_is_blocked_is_moved_by_no_booking_to_or_from(with_house: bool) -> None:
    books = Books()
    for other in (ANNS, SUSPENSE) if with_house else (ANNS,):
        to, from_ = booking(debit=other, credit=BLOCKED_FUNDS), booking(debit=BLOCKED_FUNDS, credit=other)
        assert books.refuses(book(to, with_house=with_house)) == ("creditor_account_unknown", "credit_account_id")
        assert books.refuses(book(from_, with_house=with_house)) == ("debtor_account_unknown", "debit_account_id")


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


# Limits: at once, a day, a month


def rich(tier: int = 1) -> Books:
    """Ann is in a tier with limits, and has plenty."""
    books = Books()
    books.hears(fund(ANNS, 100_000_00, transfer="second"))
    books.hears(CustomerVerified(customer_id=ANN, tier=tier, verified_at=START))
    return books


DAILY, MONTHLY = ("daily_limit_exceeded", "amount"), ("monthly_limit_exceeded", "amount")


def test_a_day_has_a_limit_up_to_the_last_cent_and_begins_at_midnight_utc() -> None:
    books = rich()
    books.now = datetime(2026, 1, 5, 23, 59, 59, 999999, tzinfo=UTC)
    books.hears(book(booking(1, 1_000_00), booking(2, 1_000_00)), book(booking(3, 500_00)))
    assert books.refuses(book(booking(4, 1))) == DAILY
    books.now += timedelta(microseconds=1)
    books.hears(book(booking(4, 1_000_00), booking(5, 1_000_00), booking(6, 500_00)))
    assert books.refuses(book(booking(7, 1))) == DAILY


@pytest.mark.parametrize(
    ("last", "first"), [("2026-01-31", "2026-02-01"), ("2026-12-31", "2027-01-01"), ("2028-02-29", "2028-03-01")]
)
def test_a_month_has_a_limit_up_to_the_last_cent_and_begins_on_its_first_day_utc(last: str, first: str) -> None:
    books = rich()
    books.now = datetime.fromisoformat(f"{last}T23:59:59.999999+00:00") - timedelta(days=4)
    for day in range(4):
        books.hears(book(*(booking(10 * day + number, 500_00) for number in range(5))))
        books.now += timedelta(days=1)
    assert books.now.date().isoformat() == last
    assert books.refuses(book(booking(50, 1))) == MONTHLY
    books.now += timedelta(microseconds=1)
    assert books.now.date().isoformat() == first
    books.hears(book(booking(50, 1_000_00)))
    assert (books.accounts[ANNS].spent_day_minor, books.accounts[ANNS].spent_month_minor) == (1_000_00, 1_000_00)


def test_linked_bookings_count_together() -> None:
    books = rich()
    assert books.refuses(book(*(booking(number, 1_000_00) for number in range(3)))) == (
        "daily_limit_exceeded",
        "transfers.2.amount",
    )
    assert books.accounts[ANNS].spent_day_minor == 0


def test_what_is_held_counts_as_spent_until_it_is_given_back() -> None:
    books = rich()
    pay, reserve = Pay(1, 900_00, fee_minor=100_00), Reserve(1, 1_000_00)
    books.hears(pay.initiated, reserve.placed, book(booking(1, 500_00)))
    assert books.told == ["FundsHeld", "HoldPlaced", "TransfersPosted"]
    assert books.refuses(book(booking(2, 1))) == DAILY
    books.hears(reserve.posted(400_00, is_final=True))
    assert books.refuses(book(booking(2, 600_01))) == DAILY, "what was posted was counted when it was held"
    books.hears(book(booking(2, 600_00)))
    books.hears(pay.cancelled)
    assert books.refuses(book(booking(3, 1_000_00))) is None
    assert books.refuses(book(booking(4, 1))) == DAILY


def test_a_conversion_counts_and_neither_funding_nor_reversal_does() -> None:
    books = rich()
    books.hears(book(booking(1, 1_000_00)), convert(1_000_00), reverse(), book(booking(2, 500_00)))
    assert books.accounts[ANNS].spent_day_minor == 2_500_00
    assert books.refuses(convert(1_00, number=2)) == DAILY


def test_what_is_given_back_on_a_later_day_frees_the_month_and_not_the_day() -> None:
    books = rich()
    books.hears(Reserve(1, 1_000_00).placed)
    books.now += timedelta(days=1)
    books.hears(book(booking(1, 700_00)), Reserve(1).voided)
    account = books.accounts[ANNS]
    assert (account.spent_day_minor, account.spent_month_minor) == (700_00, 700_00)


def test_what_is_given_back_in_a_later_month_frees_nothing_of_that_month() -> None:
    books = rich()
    books.now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    books.hears(Reserve(1, 1_000_00).placed)
    books.now += timedelta(days=1)
    books.hears(book(booking(1, 700_00)), Reserve(1).voided)
    account = books.accounts[ANNS]
    assert (account.spent_day_minor, account.spent_month_minor) == (700_00, 700_00)


def test_a_clock_set_back_does_not_open_a_day_again() -> None:
    books = rich()
    books.hears(book(booking(1, 1_000_00), booking(2, 1_000_00)))
    for back in (timedelta(days=1), timedelta(days=40)):
        books.now = START - back
        assert books.refuses(book(booking(3, 500_01))) == DAILY


def test_what_was_held_by_a_clock_set_back_leaves_no_day_larger_than_its_month() -> None:
    books = rich()
    books.hears(book(booking(1, 1_00)))
    books.now = START - timedelta(days=1)
    books.hears(Reserve(1, 1_000_00).placed)
    books.hears(Reserve(1).voided)
    account = books.accounts[ANNS]
    assert (account.spent_day_minor, account.spent_month_minor) == (1_00, 1_00)


def test_staff_books_on_the_house_without_limits() -> None:
    books = rich()
    books.hears(*(book(booking(n, 10**12, debit=EXTERNAL, credit=SUSPENSE), with_house=True) for n in range(3)))
    assert books.money(SUSPENSE)[0] == 3 * 10**12


# Conversions


def test_a_conversion_is_two_balanced_transfers_by_way_of_the_liquidity() -> None:
    books = Books()
    (posted,) = books.hears(convert(33_33, "1.0843"))
    assert isinstance(posted, TransfersPosted)
    assert posted.link_id == convert().transfer_id
    assert [
        (leg.debit_account_id, leg.credit_account_id, leg.amount_minor, leg.currency) for leg in posted.transfers
    ] == [
        (ANNS, LIQUIDITY, 33_33, "EUR"),
        (DOLLAR_LIQUIDITY, BENS_DOLLARS, 36_13, "USD"),
    ]
    assert {leg.kind for leg in posted.transfers} == {PostedTransferKind.CONVERSION}
    assert [books.money(id_)[0] for id_ in (ANNS, LIQUIDITY, DOLLAR_LIQUIDITY, BENS_DOLLARS)] == [
        66_67,
        33_33,
        -36_13,
        36_13,
    ]
    taken, given_ = books.transfers[-2:]
    assert (taken.link_id, taken.link_number, given_.link_id, given_.link_number) == (
        convert().transfer_id,
        0,
        convert().transfer_id,
        1,
    )
    assert taken.metadata == given_.metadata == {"rate": "1.0843", "remainder": "0.9719"}
    assert [entry.amount_minor for entry in books.entries[-4:]] == [-33_33, 33_33, -36_13, 36_13]


def test_a_remainder_is_written_out_in_digits_however_small_it_is() -> None:
    books = Books()
    books.hears(convert(1_00, "1.0000000001"))
    assert books.transfers[-1].metadata == {"rate": "1.0000000001", "remainder": "0.00000001"}


def test_a_conversion_without_remainder_says_so() -> None:
    books = Books()
    books.hears(convert(50_00, "2.00"))
    assert books.transfers[-1].metadata == {"rate": "2.00", "remainder": "0"}


rates = st.integers(1, 10**20 - 1).map(lambda digits: Decimal(digits).scaleb(-10))


@given(st.integers(1, AMOUNT_MINOR_MAX), st.sampled_from(sorted(SCALES)), st.sampled_from(sorted(SCALES)), rates)
def test_a_conversion_is_rounded_down_and_what_is_left_over_is_told_exactly(
    amount_minor: int, currency: str, credited_currency: str, rate: Decimal
) -> None:
    exact = Fraction(amount_minor, 10 ** SCALES[currency]) * Fraction(rate) * 10 ** SCALES[credited_currency]
    given_ = conversion(amount_minor, currency, credited_currency, rate)
    assert given_.credited_minor + Fraction(given_.remainder) == exact
    assert 0 <= given_.remainder < 1


@pytest.mark.parametrize(
    ("amount_minor", "rate", "credited_minor"),
    [(1, "1", 1), (1, "1.9999999999", 1), (3, "0.3333333334", 1), (10**6, "1000000000", AMOUNT_MINOR_MAX)],
)
def test_a_conversion_gives_the_smallest_and_the_largest_amount_there_is(
    amount_minor: int, rate: str, credited_minor: int
) -> None:
    books = Books(changes={ANNS: {"posted_minor": 10**6}})
    books.hears(convert(amount_minor, rate))
    assert books.money(BENS_DOLLARS)[0] == credited_minor


def test_a_conversion_is_stopped_by_either_leg_and_leaves_no_trace() -> None:
    books = Books(changes={BENS_DOLLARS: {"ceiling_minor": 36_12}})
    before = books.kept
    assert books.refuses(convert(33_33, "1.0843")) == ("ceiling_exceeded", "credit_account_id")
    assert books.kept == before


# Reversals


def test_a_transfer_is_taken_back_by_a_further_one() -> None:
    books = Books()
    books.hears(book(booking(effective_at=START - timedelta(days=2))))
    known = list(books.transfers), list(books.entries)
    books.now += timedelta(days=1)
    (posted,) = books.hears(reverse())
    assert posted == TransfersPosted(
        link_id=reversal_id(booking().transfer_id),
        debit_account_id=BENS,
        transfers=(
            PostedTransfer(
                transfer_id=reversal_id(booking().transfer_id),
                kind=PostedTransferKind.REVERSAL,
                debit_account_id=BENS,
                credit_account_id=ANNS,
                amount_minor=30_00,
                currency="EUR",
                reversed_transfer_id=booking().transfer_id,
                effective_at=books.now,
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
    books.hears(book(booking(1, 10_00), booking(2, 10_00, credit=SUSPENSE), booking(3, 10_00), with_house=True))
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
    books.hears(book(booking(1, 1_00, debit=FEES, credit=ANNS), with_house=True))
    assert (books.money(ANNS)[0], books.money(FEES)[0]) == (70_00, 0)
