"""A listed customer's own money: moved to blocked funds once, told with its amount, whatever holds it meanwhile."""

import pytest

from libs.common.record import Record, replace
from schemas.accounts.events import PropertyBlocked
from schemas.compliance.events import CustomerRefused, CustomerVerified
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.customers import Close, OpenAccount, Thaw, account_id_of
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import AccountStatus
from services.accounts.store import blocked_funds_of
from tests.unit.accounts.audit import require_balance, require_journal
from tests.unit.accounts.books import ANN, ANNS, BLOCKED_FUNDS, START, Books, Pay, Reserve, convert, fund
from tests.unit.accounts.test_customers import REGISTER

LISTED = CustomerRefused(customer_id=ANN, is_listed=True, refused_at=START)


def blocked(books: Books) -> list[tuple[str, int, str]]:
    found = [event for event in books.events if isinstance(event, PropertyBlocked)]
    return [(event.account_id, event.amount_minor, event.currency) for event in found]


def test_what_a_listed_customer_has_goes_to_blocked_funds_once() -> None:
    books = Books()
    books.hears(LISTED)
    assert books.told == ["AccountFrozen", "PropertyBlocked"]
    (_, told) = books.events
    transfer = books.transfers[-1]
    assert told == PropertyBlocked(
        account_id=ANNS,
        customer_id=ANN,
        blocked_account_id=BLOCKED_FUNDS,
        amount_minor=100_00,
        currency="EUR",
        transfer_id=transfer.transfer_id,
        blocked_at=books.now,
    )
    assert (transfer.kind, transfer.payment_id) == (TransferKind.BLOCKING, None)
    assert (books.money(ANNS), books.money(BLOCKED_FUNDS)[0]) == ((0, 0, 0), 100_00)
    _require_sound(books)
    assert books.hears(LISTED) == [], "a repetition changes nothing"


def test_of_several_accounts_each_is_told_with_its_currency_and_closed_ones_hold_nothing() -> None:
    books = Books()
    dollars, yen = account_id_of(ANN, "USD"), account_id_of(ANN, "JPY")
    books.hears(OpenAccount(customer_id=ANN, currency="USD"), OpenAccount(customer_id=ANN, currency="JPY"))
    books.hears(Close(account_id=yen), convert(30_00, debit=ANNS, credit=dollars))
    books.hears(LISTED)
    expected = [(ANNS, 70_00, "EUR"), (dollars, books.transfers[-3].amount_minor, "USD")]
    assert sorted(blocked(books)) == sorted((id_, minor, currency) for id_, minor, currency in expected if minor)
    assert books.accounts[yen].status is AccountStatus.CLOSED
    _require_sound(books)


def test_whoever_is_refused_and_not_listed_keeps_the_money_frozen() -> None:
    books = Books()
    books.hears(replace(LISTED, is_listed=False))
    assert (books.told, books.money(ANNS)[0]) == (["AccountFrozen"], 100_00)


@pytest.mark.parametrize(
    ("held", "ended"),
    [
        (Pay().initiated, Pay().rejected),
        (Pay().initiated, Pay().cancelled),
        (Pay().initiated, Pay().release_requested),
        (Reserve().placed, Reserve().voided),
    ],
)
def test_what_something_holds_is_blocked_when_that_ends(held: Record, ended: Record) -> None:
    books = Books()
    books.hears(held)
    left_minor = books.money(ANNS)[2]
    books.hears(LISTED)
    assert blocked(books) == [(ANNS, left_minor, "EUR")]
    books.hears(ended)
    assert blocked(books) == [(ANNS, 100_00 - left_minor, "EUR")]
    assert (books.money(ANNS), books.money(BLOCKED_FUNDS)[0]) == ((0, 0, 0), 100_00)
    _require_sound(books)


@pytest.mark.parametrize("ended", [Pay().rejected, Pay().cancelled, Pay().release_requested])
def test_of_which_payment_blocked_money_was_let_go_is_told_so_that_nobody_reports_it_as_given_back(
    ended: Record,
) -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.hears(LISTED, ended)
    told = [event.payment_id for event in books.events if isinstance(event, PropertyBlocked)]
    assert told == [None, Pay().payment_id]


def test_what_a_payment_holds_that_is_blocked_itself_is_blocked_once() -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.hears(LISTED, Pay().block_requested)
    held_minor = books.transfers[-1].amount_minor
    assert books.told == ["AccountFrozen", "PropertyBlocked", "FundsBlocked"]
    assert blocked(books) == [(ANNS, 100_00 - held_minor, "EUR")]
    assert books.money(BLOCKED_FUNDS)[0] == 100_00
    _require_sound(books)


def test_who_may_be_served_after_all_has_nothing_more_blocked_and_nothing_given_back() -> None:
    books = Books()
    books.hears(LISTED, CustomerVerified(customer_id=ANN, tier=3, verified_at=START), Thaw(account_id=ANNS))
    assert (books.money(ANNS)[0], books.money(BLOCKED_FUNDS)[0]) == (0, 100_00)
    books.hears(fund(ANNS, 5_00, transfer="second"), Reserve(1, 5_00).placed, Reserve(1, 5_00).voided)
    assert (books.money(ANNS)[2], blocked(books)) == (5_00, [])
    # Listed once more: another transfer.
    books.hears(LISTED)
    assert blocked(books) == [(ANNS, 5_00, "EUR")]
    _require_sound(books)


def test_an_overdrawn_account_has_nothing_that_could_be_blocked() -> None:
    books = Books(changes={ANNS: {"floor_minor": -200_00}})
    books.hears(Reserve(1, 150_00).placed)
    books.hears(LISTED)
    assert blocked(books) == []
    books.hears(Reserve(1, 150_00).voided)
    assert blocked(books) == [(ANNS, 100_00, "EUR")]
    _require_sound(books)


def test_what_an_account_was_never_to_fall_below_is_blocked_too() -> None:
    books = Books(changes={ANNS: {"floor_minor": 5_00}})
    books.hears(LISTED)
    assert blocked(books) == [(ANNS, 100_00, "EUR")]
    _require_sound(books)


def test_blocked_funds_are_locked_of_every_currency_that_a_batch_may_block() -> None:
    books, dollars = Books(), OpenAccount(customer_id=ANN, currency="USD")
    of_ann, known = [books.accounts[ANNS]], {ANN: replace(books.customers[ANN], wanted_currencies=("JPY",))}
    refused = replace(LISTED, is_listed=False)
    assert blocked_funds_of(of_ann, [refused], known, [dollars]) == set()
    assert blocked_funds_of([replace(of_ann[0], is_blocked=True)], [], {}, []) == {BLOCKED_FUNDS}
    assert blocked_funds_of(of_ann, [LISTED], known, [dollars, REGISTER]) == {
        house_account_id(AccountKind.BLOCKED_FUNDS, currency) for currency in ("EUR", "JPY", "USD")
    }
    # One who is registered, verified and refused in one batch.
    assert blocked_funds_of([], [replace(LISTED, customer_id=REGISTER.customer_id)], {}, [REGISTER]) == {
        house_account_id(AccountKind.BLOCKED_FUNDS, currency) for currency in REGISTER.currencies
    }


def _require_sound(books: Books) -> None:
    require_balance(books)
    require_journal(books)
