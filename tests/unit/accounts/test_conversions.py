"""Money changed into another currency: two balanced transfers, rounded down, with the remainder told exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import AMOUNT_MINOR_MAX, SCALES
from libs.common.record import Record
from schemas.accounts.events import PostedTransferKind, TransfersPosted
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.refusals import RefusalReason
from services.accounts.domain.transfers import conversion
from tests.unit.accounts.books import (
    ANNS,
    BENS,
    BENS_DOLLARS,
    CLOSED,
    DEBITS_FROZEN,
    EXTERNAL,
    FROZEN,
    FULL,
    NOBODYS,
    POOR,
    Books,
    Changes,
    convert,
)

R = RefusalReason
LIQUIDITY, DOLLAR_LIQUIDITY = (house_account_id(AccountKind.LIQUIDITY, currency) for currency in ("EUR", "USD"))

# Why a request is refused, in order of precedence: each row breaks what it names and everything that comes after it.

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
    (R.INSUFFICIENT_FUNDS, "amount", convert(100_01), {BENS_DOLLARS: FULL}),
    (R.CEILING_EXCEEDED, "credit_account_id", convert(30_00, "1.0001"), {BENS_DOLLARS: {"ceiling_minor": 29_99}}),
]


@pytest.mark.parametrize(("reason", "field", "request_", "changes"), CONVERSIONS)
def test_no_money_is_converted_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, request_: Record, changes: Changes
) -> None:
    books = Books(changes=changes)
    before = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (before, [])


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
