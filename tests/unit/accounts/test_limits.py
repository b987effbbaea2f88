"""What may be spent at once, a day and a month: counted when it is held or booked, and given back with holds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.compliance.events import CustomerVerified
from services.accounts.domain.ledger import BALANCE_MINOR_MAX
from services.accounts.domain.limits import NOTHING, STANDARD_LIMITS, UNLIMITED, Limits
from services.accounts.queries import account_view
from services.accounts.settings import AccountsSettings
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    EXTERNAL,
    START,
    SUSPENSE,
    Books,
    Pay,
    Reserve,
    book,
    booking,
    convert,
    fund,
    reverse,
)


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


def test_what_a_customer_did_not_ask_for_neither_counts_nor_has_limits() -> None:
    books = rich()
    books.hears(book(booking(1, 1_000_00)), convert(1_000_01), reverse(), book(booking(2, 1_000_01), by_staff=True))
    assert books.accounts[ANNS].spent_day_minor == 1_000_00
    books.hears(book(booking(3, 1_000_00), booking(4, 500_00)))
    assert books.refuses(book(booking(5, 1))) == DAILY
    assert books.refuses(book(booking(5, 1), by_staff=True)) is None, "staff can correct what is spent"
    assert books.refuses(convert(1_00, number=2)) is None


def test_a_month_of_more_than_64_bits_hold_is_counted_as_what_they_hold() -> None:
    books = Books(changes={ANNS: {"spent_on": START.date(), "spent_month_minor": BALANCE_MINOR_MAX - 1}})
    books.hears(book(booking(1, 2)))
    assert (books.accounts[ANNS].spent_day_minor, books.accounts[ANNS].spent_month_minor) == (2, BALANCE_MINOR_MAX)


def test_how_much_of_a_currency_counts_as_a_euro_is_a_setting() -> None:
    limits = settings(limit_units={"JPY": "160.5", "ISK": "140"}).limits
    assert limits.of(1, "JPY") == Limits(once=160_500, day=401_250, month=1_605_000)
    assert limits.of(1, "ISK").once == 140_000
    assert limits.of(1, "EUR") == STANDARD_LIMITS.of(1, "EUR"), "what is not named is as it was"


def test_whoever_has_limits_pays_nothing_in_a_currency_that_has_none() -> None:
    assert settings().limits.of(2, "KPW") == NOTHING
    assert settings().limits.of(3, "KPW") == UNLIMITED


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"QQQ": "1"}, "unknown currency or asset"),
        ({"JPY": "0"}, "greater than 0"),
        ({"JPY": "-1"}, "greater than 0"),
        ({"JPY": "1000000.1"}, "less than or equal to 1000000"),
        ({"JPY": "NaN"}, "finite number"),
        ({"JPY": "many"}, "valid decimal"),
        ({"JPY": 160.5}, 'must be a decimal text such as "1.5"'),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_clear_words(units: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(limit_units=units)


def settings(**given: Any) -> AccountsSettings:
    return AccountsSettings(database_url="postgresql://nowhere", **given)


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
    books.hears(*(book(booking(n, 10**12, debit=EXTERNAL, credit=SUSPENSE), by_staff=True) for n in range(3)))
    assert books.money(SUSPENSE)[0] == 3 * 10**12


def shown(books: Books, account_id: str = ANNS) -> Any:
    """The limits of an account as its customer sees them now."""
    account = books.accounts[account_id]
    return account_view(account, STANDARD_LIMITS.of(account.tier, account.currency), books.now.date())["limits"]


def test_an_account_shows_its_limits_and_what_is_left_of_them() -> None:
    books = rich()
    unspent = {"limit": "2500.00", "spent": "0.00", "remaining": "2500.00"}
    assert shown(books)["daily"] == unspent
    books.hears(book(booking(1, 1_000_00)), Reserve(1, 250_50).placed, Pay(1, 249_50).initiated)
    assert shown(books) == {
        "tier": 1,
        "per_transaction": "1000.00",
        "daily": {"limit": "2500.00", "spent": "1500.00", "remaining": "1000.00"},
        "monthly": {"limit": "10000.00", "spent": "1500.00", "remaining": "8500.00"},
    }
    assert books.refuses(book(booking(2, 1_000_00), booking(3, 1))) == ("daily_limit_exceeded", "transfers.1.amount")
    books.now += timedelta(days=1)
    assert shown(books)["daily"] == unspent
    assert shown(books)["monthly"]["remaining"] == "8500.00"
    books.now += timedelta(days=31)
    assert shown(books)["monthly"]["remaining"] == "10000.00"


def test_what_was_spent_before_a_limit_was_lowered_leaves_nothing_rather_than_less() -> None:
    books = rich(tier=2)
    books.hears(book(booking(1, 15_000_00)))
    books.hears(CustomerVerified(customer_id=ANN, tier=1, verified_at=START))
    assert shown(books)["daily"] == {"limit": "2500.00", "spent": "15000.00", "remaining": "0.00"}


def test_whoever_has_no_limit_sees_what_was_spent_and_the_house_nothing() -> None:
    books = rich(tier=3)
    books.hears(book(booking(1, 30_00)))
    unlimited = {"limit": None, "spent": "30.00", "remaining": None}
    assert shown(books) == {"tier": 3, "per_transaction": None, "daily": unlimited, "monthly": unlimited}
    assert shown(books, EXTERNAL) is None
