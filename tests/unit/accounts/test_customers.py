"""Customers and their accounts: registered, verified, served within limits, turned away."""

import pytest

from libs.common import ids
from libs.common.money import SCALES
from libs.common.record import Record, replace
from schemas.accounts.events import AccountFrozen, AccountOpened, CustomerKind, CustomerPersonalData, CustomerRegistered
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from services.accounts.domain.chart import HOUSE_KINDS, AccountKind, house_accounts
from services.accounts.domain.customers import (
    Close,
    CloseCustomer,
    Freeze,
    OpenAccount,
    RegisterCustomer,
    SetBounds,
    Thaw,
    account_id_of,
)
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import (
    AccountStatus,
    CustomerStatus,
    house_account,
)
from services.accounts.domain.limits import STANDARD_LIMITS, Limits
from services.accounts.domain.refusals import RefusalReason
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BEN,
    BENS,
    BLOCKED_FUNDS,
    CLOSED,
    DEBITS_FROZEN,
    EMPTY,
    EXTERNAL,
    FROZEN,
    NOBODYS,
    START,
    Books,
    Changes,
    Pay,
    book,
    booking,
    customer,
    fund,
)

EVE = ids.named("eve")
REGISTER = RegisterCustomer(
    customer_id=EVE,
    kind=CustomerKind.COMPANY,
    personal=CustomerPersonalData(name="Eve Ltd", country="MT"),
    currencies=("EUR", "JPY"),
)


def verified(customer_id: str, tier: int = 2) -> CustomerVerified:
    return CustomerVerified(customer_id=customer_id, tier=tier, verified_at=START)


def bounds(account_id: str, floor_minor: int = 0, ceiling_minor: int | None = None, currency: str = "EUR") -> SetBounds:
    return SetBounds(account_id=account_id, currency=currency, floor_minor=floor_minor, ceiling_minor=ceiling_minor)


def statuses(books: Books, customer_id: str) -> set[AccountStatus]:
    return {account.status for account in books.accounts.values() if account.customer_id == customer_id}


OVERDRAWN = {"posted_minor": -20_00, "held_minor": 30_00, "floor_minor": -50_00}

# Why a request is refused, in order of precedence: each row breaks what it names and everything that comes after it.

REFUSED: list[tuple[RefusalReason, str, Record, CustomerStatus, Changes]] = [
    *(
        (RefusalReason.CUSTOMER_UNKNOWN, "customer_id", request, CustomerStatus.VERIFIED, {})
        for request in (OpenAccount(customer_id=EVE, currency="EUR"), CloseCustomer(customer_id=EVE))
    ),
    *(
        (RefusalReason.ACCOUNT_UNKNOWN, "account_id", request, CustomerStatus.REGISTERED, {})
        for account_id in (NOBODYS, EXTERNAL, BLOCKED_FUNDS)
        for request in (
            Freeze(account_id=account_id),
            Thaw(account_id=account_id),
            Close(account_id=account_id),
            bounds(account_id, currency="USD"),
        )
    ),
    *(
        (RefusalReason.CUSTOMER_NOT_VERIFIED, "customer_id", OpenAccount(customer_id=ANN, currency="EUR"), status, {})
        for status in CustomerStatus
        if status is not CustomerStatus.VERIFIED
    ),
    *(
        (RefusalReason.CUSTOMER_NOT_VERIFIED, "account_id", Thaw(account_id=ANNS), status, {ANNS: frozen})
        for status in CustomerStatus
        if status is not CustomerStatus.VERIFIED
        for frozen in ({}, FROZEN)
    ),
    (RefusalReason.CUSTOMER_CLOSED, "customer_id", CloseCustomer(customer_id=ANN), CustomerStatus.CLOSED, {}),
    *(
        (RefusalReason.CUSTOMER_HAS_ACCOUNTS, "customer_id", CloseCustomer(customer_id=ANN), status, {ANNS: change})
        for status in CustomerStatus
        if status is not CustomerStatus.CLOSED
        for change in (EMPTY, EMPTY | FROZEN, EMPTY | DEBITS_FROZEN)
    ),
    *(
        (
            RefusalReason.ACCOUNT_EXISTS,
            "currency",
            OpenAccount(customer_id=ANN, currency="EUR"),
            CustomerStatus.VERIFIED,
            change,
        )
        for change in ({}, {ANNS: CLOSED})
    ),
    *(
        (RefusalReason.ACCOUNT_CLOSED, "account_id", request, CustomerStatus.VERIFIED, {ANNS: CLOSED})
        for request in (
            Freeze(account_id=ANNS),
            Freeze(account_id=ANNS, may_receive=True),
            Close(account_id=ANNS),
            bounds(ANNS, currency="USD"),
        )
    ),
    (
        RefusalReason.ACCOUNT_FROZEN,
        "account_id",
        Freeze(account_id=ANNS, may_receive=True),
        CustomerStatus.VERIFIED,
        {ANNS: FROZEN},
    ),
    *(
        (RefusalReason.ACCOUNT_NOT_FROZEN, "account_id", Thaw(account_id=ANNS), CustomerStatus.VERIFIED, {ANNS: change})
        for change in ({}, CLOSED)
    ),
    *(
        (RefusalReason.ACCOUNT_NOT_EMPTY, "account_id", Close(account_id=ANNS), CustomerStatus.VERIFIED, {ANNS: change})
        for change in ({}, FROZEN, {"posted_minor": 0, "held_minor": 1, "floor_minor": -1}, {"posted_minor": -1})
    ),
    (
        RefusalReason.CURRENCY_NOT_HELD,
        "currency",
        bounds(ANNS, 1, 0, currency="USD"),
        CustomerStatus.VERIFIED,
        {ANNS: EMPTY},
    ),
    (RefusalReason.BOUND_IS_PASSED, "overdraft", bounds(ANNS, -49_99, 0), CustomerStatus.VERIFIED, {ANNS: OVERDRAWN}),
    (RefusalReason.BOUND_IS_PASSED, "ceiling", bounds(ANNS, 0, 99_99), CustomerStatus.VERIFIED, {}),
]


@pytest.mark.parametrize(("reason", "field", "request_", "status", "changes"), REFUSED)
def test_a_request_is_refused_for_the_first_reason_that_applies(
    reason: RefusalReason,
    field: str,
    request_: Record,
    status: CustomerStatus,
    changes: Changes,
) -> None:
    books = Books(changes=changes)
    books.customers[ANN] = customer(ANN, status)
    before = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (before, [])


# A customer's life


def test_a_customer_is_registered_and_has_no_account_until_it_is_verified() -> None:
    books = Books()
    (registered,) = books.hears(REGISTER)
    assert isinstance(registered, CustomerRegistered)
    assert (registered.customer_id, registered.kind) == (EVE, CustomerKind.COMPANY)
    assert registered.personal == REGISTER.personal
    assert (books.customers[EVE].status, statuses(books, EVE)) == (CustomerStatus.REGISTERED, set())


def test_a_verified_customer_gets_the_accounts_it_wanted_once() -> None:
    books = Books()
    books.hears(REGISTER)
    opened = books.hears(verified(EVE))
    assert [(e.account_id, e.currency) for e in opened if isinstance(e, AccountOpened)] == [
        (account_id_of(EVE, "EUR"), "EUR"),
        (account_id_of(EVE, "JPY"), "JPY"),
    ]
    assert books.hears(verified(EVE)) == []


@pytest.mark.parametrize(
    ("tier", "currency", "once_minor"),
    [
        (0, "EUR", 0),
        (1, "EUR", 1_000_00),
        (2, "EUR", 15_000_00),
        (3, "EUR", None),
        (4, "EUR", 0),
        (1, "JPY", 150_000),
        (2, "BHD", 5_250_000),
        (1, "BTC", 1_000_000),
        (2, "KPW", 0),
        (3, "KPW", None),
    ],
)
def test_the_limit_of_an_account_follows_from_the_tier(tier: int, currency: str, once_minor: int | None) -> None:
    books = Books()
    books.hears(REGISTER)
    books.hears(verified(EVE, tier), *(OpenAccount(customer_id=EVE, currency=each) for each in ("BHD", "BTC", "KPW")))
    assert limits(books, account_id_of(EVE, currency)).once == once_minor


def test_a_new_tier_changes_the_limits_of_all_accounts() -> None:
    books = Books()
    books.hears(REGISTER)
    books.hears(verified(EVE, 1))
    books.hears(verified(EVE, 2))
    assert limits(books, account_id_of(EVE, "EUR")).once == 15_000_00
    assert limits(books, ANNS).once is None, "and of nobody else's"


def limits(books: Books, account_id: str) -> Limits:
    account = books.accounts[account_id]
    return STANDARD_LIMITS.of(account.tier, account.currency)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (CustomerRefused(customer_id=ANN, refused_at=START), CustomerStatus.REFUSED),
        (CustomerRestricted(customer_id=ANN, restricted_at=START), CustomerStatus.RESTRICTED),
    ],
)
def test_the_accounts_of_a_customer_who_is_turned_away_are_frozen_until_someone_thaws_them(
    event: Record, status: CustomerStatus
) -> None:
    books = Books()
    books.hears(OpenAccount(customer_id=ANN, currency="USD"), OpenAccount(customer_id=ANN, currency="JPY"))
    books.hears(Close(account_id=account_id_of(ANN, "JPY")), Freeze(account_id=account_id_of(ANN, "USD")))
    books.hears(event)
    assert (books.told, books.customers[ANN].status) == (["AccountFrozen"], status)
    assert books.accounts[account_id_of(ANN, "JPY")].status is AccountStatus.CLOSED
    assert statuses(books, BEN) == {AccountStatus.OPEN}
    assert books.hears(event) == [], "a repetition changes nothing"
    books.hears(verified(ANN))
    assert books.accounts[ANNS].status is AccountStatus.FROZEN, "to be verified again thaws nothing by itself"
    books.hears(Thaw(account_id=ANNS))
    assert (books.told, books.accounts[ANNS].status) == (["AccountThawed"], AccountStatus.OPEN)


def test_accounts_are_frozen_in_one_order_whichever_batch_has_opened_them() -> None:
    """Events get their ids by their place: the same decision must tell the same, in whatever batch it is taken."""
    currencies = sorted(("EUR", "JPY"), key=lambda currency: account_id_of(EVE, currency), reverse=True)
    register = replace(REGISTER, currencies=tuple(currencies))
    books = Books()
    told = books.hears(register, verified(EVE), CustomerRestricted(customer_id=EVE, restricted_at=START))
    frozen = [event.account_id for event in told if isinstance(event, AccountFrozen)]
    assert frozen == sorted(account_id_of(EVE, currency) for currency in currencies)


def test_a_customer_refused_before_it_was_verified_has_no_accounts() -> None:
    books = Books()
    books.hears(REGISTER)
    books.hears(CustomerRefused(customer_id=EVE, refused_at=START))
    assert (books.events, statuses(books, EVE)) == ([], set())


def test_word_about_a_customer_nobody_knows_is_a_dead_letter() -> None:
    (result,) = Books().run([verified(EVE)])
    assert isinstance(result.error, KeyError)


# Accounts


def test_freezing_twice_is_freezing_once() -> None:
    books = Books()
    books.hears(Freeze(account_id=ANNS))
    assert books.told == ["AccountFrozen"]
    assert books.hears(Freeze(account_id=ANNS)) == []


def test_a_frozen_account_neither_pays_nor_receives() -> None:
    books = Books()
    books.hears(Freeze(account_id=ANNS))
    books.hears(Pay().initiated, Pay(2, debtor=BENS, creditor=ANNS).initiated)
    assert books.told == ["FundsDeclined", "FundsDeclined"]


def test_an_account_frozen_for_debits_may_receive_and_not_pay() -> None:
    books = Books()
    (frozen,) = books.hears(Freeze(account_id=ANNS, may_receive=True))
    assert isinstance(frozen, AccountFrozen) and frozen.may_receive
    assert books.hears(Freeze(account_id=ANNS, may_receive=True)) == [], "twice is once"
    books.hears(fund(ANNS, 5_00, transfer="second"))
    assert books.refuses(book()) == ("debtor_account_frozen", "debit_account_id")
    books.hears(Freeze(account_id=BENS, may_receive=True))
    books.hears(book(booking(debit=EXTERNAL, credit=BENS, amount_minor=1), by_staff=True))
    assert (books.money(ANNS)[0], books.money(BENS)[0]) == (105_00, 1)


def test_what_may_receive_can_be_frozen_altogether_and_thawed() -> None:
    books = Books()
    books.hears(Freeze(account_id=ANNS, may_receive=True))
    (frozen,) = books.hears(Freeze(account_id=ANNS))
    assert isinstance(frozen, AccountFrozen) and not frozen.may_receive
    assert books.refuses(fund(ANNS, 1, transfer="second")) == ("account_frozen", "account_id")
    books.hears(Thaw(account_id=ANNS), Freeze(account_id=ANNS, may_receive=True), Thaw(account_id=ANNS))
    assert books.accounts[ANNS].status is AccountStatus.OPEN


def test_bounds_may_be_set_up_to_the_last_cent() -> None:
    books = Books(changes={ANNS: OVERDRAWN})
    books.hears(bounds(ANNS, -50_00, -20_00))
    assert (books.accounts[ANNS].floor_minor, books.accounts[ANNS].ceiling_minor) == (-50_00, -20_00)
    books.hears(bounds(BENS, 0, 0), bounds(BENS, -1_00, None))
    assert (books.accounts[BENS].floor_minor, books.accounts[BENS].ceiling_minor) == (-1_00, None)


def test_a_customer_without_open_accounts_can_be_closed_and_is_served_no_more() -> None:
    books = Books(changes={ANNS: EMPTY})
    books.hears(Close(account_id=ANNS), CloseCustomer(customer_id=ANN))
    assert books.told == ["AccountClosed", "CustomerClosed"]
    before = books.kept
    for late in (
        verified(ANN),
        CustomerRefused(customer_id=ANN, refused_at=START),
        CustomerRestricted(customer_id=ANN, restricted_at=START),
    ):
        assert books.hears(late) == []
    assert books.refuses(OpenAccount(customer_id=ANN, currency="USD")) == ("customer_not_verified", "customer_id")
    assert books.kept == before


def test_an_account_remembers_what_its_owner_wrote_on_it() -> None:
    books = Books()
    books.hears(OpenAccount(customer_id=ANN, currency="USD", metadata={"name": "travel"}))
    assert books.accounts[account_id_of(ANN, "USD")].metadata == {"name": "travel"}


def test_an_empty_account_can_be_closed_and_stays_closed() -> None:
    books = Books(changes={ANNS: EMPTY})
    books.hears(Close(account_id=ANNS))
    assert books.told == ["AccountClosed"]
    books.hears(verified(ANN))
    assert books.accounts[ANNS].status is AccountStatus.CLOSED


def test_money_from_outside_is_owed_to_the_world_outside() -> None:
    books = Books()
    books.hears(fund(BENS, 5_00, transfer="second"))
    assert books.money(BENS) == (5_00, 0, 5_00)
    assert books.money(EXTERNAL)[0] == -105_00
    transfer = books.transfers[-1]
    assert (transfer.kind, transfer.debit_account_id, transfer.effective_at) == (TransferKind.FUNDING, EXTERNAL, START)
    assert [(e.account_id, e.number, e.balance_minor) for e in books.entries[-2:]] == [
        (EXTERNAL, 2, -105_00),
        (BENS, 1, 5_00),
    ]


def test_accounts_opened_in_the_same_batch_can_be_funded_and_pay() -> None:
    books = Books()
    books.hears(OpenAccount(customer_id=ANN, currency="USD"), fund(account_id_of(ANN, "USD"), 9_00, "USD"))
    assert books.money(account_id_of(ANN, "USD")) == (9_00, 0, 9_00)


def test_every_currency_has_its_own_accounts_of_the_house() -> None:
    assert len(house_accounts()) == len(HOUSE_KINDS) * len(SCALES)
    with pytest.raises(ValueError, match="belongs to no customer"):
        _ = house_account(EXTERNAL, AccountKind.EXTERNAL, "EUR").owner_id
