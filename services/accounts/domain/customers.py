"""Customers and their accounts: registered, verified by compliance, opened, funded, frozen, closed. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.money import SCALES
from libs.common.record import replace
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    CustomerKind,
    CustomerPersonalData,
    CustomerRegistered,
)
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from services.accounts.domain.ledger import (
    Account,
    AccountKind,
    AccountStatus,
    Customer,
    CustomerStatus,
    Ledger,
    Transfer,
    TransferKind,
    external_account_id,
)

DEBIT_MAX_BY_TIER: Mapping[int, int | None] = {1: 1_000, 2: 15_000, 3: None}
"""The largest single payment by verification tier, in whole units of the account's currency; None: no limit."""


class RefusalReason(StrEnum):
    """Why a request to the ledger is refused, in order of precedence."""

    ACCOUNT_UNKNOWN = "account_unknown"
    CUSTOMER_UNKNOWN = "customer_unknown"
    CUSTOMER_NOT_VERIFIED = "customer_not_verified"
    ACCOUNT_EXISTS = "account_exists"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_NOT_FROZEN = "account_not_frozen"
    ACCOUNT_NOT_EMPTY = "account_not_empty"
    CURRENCY_NOT_HELD = "currency_not_held"


class RegisterCustomer(Command):
    customer_id: str
    kind: CustomerKind
    personal: CustomerPersonalData
    currencies: tuple[str, ...]
    """The accounts to open once compliance has verified the customer."""


class OpenAccount(Command):
    customer_id: str
    currency: str


class Fund(Command):
    """Money comes in from the world outside."""

    transfer_id: str
    account_id: str
    amount_minor: int
    currency: str
    reference: str | None = None
    effective_at: datetime | None = None


class Freeze(Command):
    account_id: str


class Thaw(Command):
    account_id: str


class Close(Command):
    account_id: str


def account_id_of(customer_id: str, currency: str) -> str:
    """A customer has one account per currency, known by both."""
    return ids.derive(customer_id, "account", currency)


def register(ledger: Ledger, command: RegisterCustomer, at: datetime) -> Sequence[Event]:
    """Take a customer on; compliance has the next word."""
    customer = Customer(
        customer_id=command.customer_id,
        kind=command.kind,
        personal=command.personal,
        wanted_currencies=command.currencies,
    )
    ledger.customers.put(command.customer_id, customer)
    return [
        CustomerRegistered(
            customer_id=command.customer_id, kind=command.kind, personal=command.personal, registered_at=at
        )
    ]


def verify(ledger: Ledger, event: CustomerVerified, at: datetime) -> Sequence[Event]:
    """Let the customer be served, within the limits of the tier: open the accounts that were wanted."""
    customer = ledger.customers[event.customer_id]
    customer = replace(customer, status=CustomerStatus.VERIFIED, tier=event.tier)
    ledger.customers.put(event.customer_id, customer)
    for account in ledger.accounts_of(event.customer_id):
        limit = _debit_max(event.tier, account.currency)
        ledger.accounts.put(account.account_id, replace(account, debit_max_minor=limit))
    return [
        _open(ledger, customer, currency, at)
        for currency in customer.wanted_currencies
        if account_id_of(event.customer_id, currency) not in ledger.accounts
    ]


def refuse(ledger: Ledger, event: CustomerRefused, at: datetime) -> Sequence[Event]:
    """The customer may not be served: no account is opened, and those there are are frozen."""
    return _turn_away(ledger, event.customer_id, CustomerStatus.REFUSED, at)


def restrict(ledger: Ledger, event: CustomerRestricted, at: datetime) -> Sequence[Event]:
    """The customer resembles a listed party since a list has changed: freeze every account."""
    return _turn_away(ledger, event.customer_id, CustomerStatus.RESTRICTED, at)


def open_account(ledger: Ledger, command: OpenAccount, at: datetime) -> Sequence[Event] | Refusal:
    """Open one more account for a verified customer."""
    customer = ledger.customers.get(command.customer_id)
    if customer is None:
        return _refusal(RefusalReason.CUSTOMER_UNKNOWN, "customer_id")
    if customer.status is not CustomerStatus.VERIFIED:
        return _refusal(RefusalReason.CUSTOMER_NOT_VERIFIED, "customer_id")
    if account_id_of(command.customer_id, command.currency) in ledger.accounts:
        return _refusal(RefusalReason.ACCOUNT_EXISTS, "currency")
    return [_open(ledger, customer, command.currency, at)]


def fund(ledger: Ledger, command: Fund, at: datetime) -> Sequence[Event] | Refusal:
    """Credit an account with money that came in from outside."""
    account = ledger.customers_account(command.account_id)
    if account is None:
        return _refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return _refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    if account.status is AccountStatus.FROZEN:
        return _refusal(RefusalReason.ACCOUNT_FROZEN, "account_id")
    if account.currency != command.currency:
        return _refusal(RefusalReason.CURRENCY_NOT_HELD, "currency")
    ledger.transfer(
        Transfer(
            transfer_id=command.transfer_id,
            kind=TransferKind.FUNDING,
            debit_account_id=external_account_id(command.currency),
            credit_account_id=command.account_id,
            amount_minor=command.amount_minor,
            currency=command.currency,
            reference=command.reference,
            effective_at=command.effective_at or at,
            recorded_at=at,
        )
    )
    return []


def freeze(ledger: Ledger, command: Freeze, at: datetime) -> Sequence[Event] | Refusal:
    """Let an account neither pay nor receive."""
    account = ledger.customers_account(command.account_id)
    if account is None:
        return _refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return _refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    return _freeze(ledger, account, at)


def thaw(ledger: Ledger, command: Thaw, at: datetime) -> Sequence[Event] | Refusal:
    """Let a frozen account pay and receive again."""
    account = ledger.customers_account(command.account_id)
    if account is None:
        return _refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if ledger.customers[account.owner_id].status is not CustomerStatus.VERIFIED:
        return _refusal(RefusalReason.CUSTOMER_NOT_VERIFIED, "account_id")
    if account.status is not AccountStatus.FROZEN:
        return _refusal(RefusalReason.ACCOUNT_NOT_FROZEN, "account_id")
    ledger.accounts.put(account.account_id, replace(account, status=AccountStatus.OPEN))
    return [AccountThawed(account_id=account.account_id, customer_id=account.owner_id, thawed_at=at)]


def close(ledger: Ledger, command: Close, at: datetime) -> Sequence[Event] | Refusal:
    """Close an account that holds nothing."""
    account = ledger.customers_account(command.account_id)
    if account is None:
        return _refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return _refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    if account.posted_minor or account.held_minor:
        return _refusal(RefusalReason.ACCOUNT_NOT_EMPTY, "account_id")
    ledger.accounts.put(account.account_id, replace(account, status=AccountStatus.CLOSED))
    return [AccountClosed(account_id=account.account_id, customer_id=account.owner_id, closed_at=at)]


def _open(ledger: Ledger, customer: Customer, currency: str, at: datetime) -> Event:
    account = Account(
        account_id=account_id_of(customer.customer_id, currency),
        customer_id=customer.customer_id,
        kind=AccountKind.CUSTOMER,
        currency=currency,
        debit_max_minor=_debit_max(customer.tier, currency),
    )
    ledger.accounts.put(account.account_id, account)
    return AccountOpened(
        account_id=account.account_id, customer_id=customer.customer_id, currency=currency, opened_at=at
    )


def _turn_away(ledger: Ledger, customer_id: str, status: CustomerStatus, at: datetime) -> Sequence[Event]:
    ledger.customers.put(customer_id, replace(ledger.customers[customer_id], status=status))
    return [
        event
        for account in ledger.accounts_of(customer_id)
        if account.status is AccountStatus.OPEN
        for event in _freeze(ledger, account, at)
    ]


def _freeze(ledger: Ledger, account: Account, at: datetime) -> Sequence[Event]:
    if account.status is AccountStatus.FROZEN:
        return []
    ledger.accounts.put(account.account_id, replace(account, status=AccountStatus.FROZEN))
    return [AccountFrozen(account_id=account.account_id, customer_id=account.owner_id, frozen_at=at)]


def _debit_max(tier: int, currency: str) -> int | None:
    whole_units = DEBIT_MAX_BY_TIER.get(tier, 0)
    return None if whole_units is None else whole_units * 10 ** SCALES[currency]


def _refusal(reason: RefusalReason, field: str) -> Refusal:
    return Refusal(reason=reason, detail=reason.replace("_", " "), field=field)
