"""Customers and their accounts: registered, verified by compliance, opened, funded, frozen, closed. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common import ids
from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from libs.common.tenants import may_touch
from schemas.accounts.events import (
    AccountBoundsSet,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    CustomerClosed,
    CustomerKind,
    CustomerPersonalData,
    CustomerRegistered,
    EncryptedPersonalData,
)
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from services.accounts.domain.chart import AccountKind
from services.accounts.domain.ledger import Account, AccountStatus, Customer, CustomerStatus, Ledger
from services.accounts.domain.property import block_available
from services.accounts.domain.refusals import RefusalReason


class RegisterCustomer(Command):
    customer_id: str
    kind: CustomerKind
    personal: CustomerPersonalData
    currencies: tuple[str, ...]
    """The accounts to open once compliance has verified the customer."""
    client_id: str | None = None
    """The client that it is a customer of; None: of the house."""


class CloseCustomer(Command):
    customer_id: str
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class OpenAccount(Command):
    customer_id: str
    currency: str
    metadata: Mapping[str, str] | None = None
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class Freeze(Command):
    account_id: str
    may_receive: bool = False
    """Whether money may still come in."""
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class Thaw(Command):
    account_id: str
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class Close(Command):
    account_id: str
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class SetBounds(Command):
    """How far an account may be overdrawn, and how much it may hold."""

    account_id: str
    currency: str
    floor_minor: int
    ceiling_minor: int | None


def account_id_of(customer_id: str, currency: str) -> str:
    """A customer has one account per currency, known by both."""
    return ids.derive(customer_id, "account", currency)


def register(ledger: Ledger, command: RegisterCustomer, at: datetime) -> Sequence[Event]:
    """Take a customer on; compliance has the next word."""
    personal = ledger.keys.seal(
        EncryptedPersonalData, command.personal, owners=[command.customer_id], about=command.customer_id
    )
    customer = Customer(
        customer_id=command.customer_id,
        client_id=command.client_id,
        kind=command.kind,
        personal=personal,
        wanted_currencies=command.currencies,
    )
    ledger.customers.put(command.customer_id, customer)
    return [CustomerRegistered(customer_id=command.customer_id, kind=command.kind, personal=personal, registered_at=at)]


def verify(ledger: Ledger, event: CustomerVerified, at: datetime) -> Sequence[Event]:
    """Let the customer be served, within the limits of the tier: open the accounts that were wanted."""
    customer = ledger.customers[event.customer_id]
    if customer.status is CustomerStatus.CLOSED:
        return []
    customer = replace(customer, status=CustomerStatus.VERIFIED, tier=event.tier)
    ledger.customers.put(event.customer_id, customer)
    for account in ledger.accounts_of(event.customer_id):
        ledger.accounts.put(account.account_id, replace(account, tier=event.tier, is_blocked=False))
    return [
        _open(ledger, customer, currency, None, at)
        for currency in customer.wanted_currencies
        if account_id_of(event.customer_id, currency) not in ledger.accounts
    ]


def refuse(ledger: Ledger, event: CustomerRefused, at: datetime) -> Sequence[Event]:
    """The customer may not be served: no account is opened, and those there are are frozen.

    If it is listed, what it owns is blocked property, from now on until it may be served.
    """
    events = list(_turn_away(ledger, event.customer_id, CustomerStatus.REFUSED, at))
    if event.is_listed and ledger.customers[event.customer_id].status is CustomerStatus.REFUSED:
        for account in ledger.accounts_of(event.customer_id):
            if account.status is not AccountStatus.CLOSED:
                # All of it is: also what the account was never to fall below.
                floor_minor = min(account.floor_minor or 0, 0)
                ledger.accounts.put(account.account_id, replace(account, is_blocked=True, floor_minor=floor_minor))
                events += block_available(ledger, account.account_id, at)
    return events


def restrict(ledger: Ledger, event: CustomerRestricted, at: datetime) -> Sequence[Event]:
    """The customer resembles a listed party since a list has changed: freeze every account."""
    return _turn_away(ledger, event.customer_id, CustomerStatus.RESTRICTED, at)


def open_account(ledger: Ledger, command: OpenAccount, at: datetime) -> Sequence[Event] | Refusal:
    """Open one more account for a verified customer."""
    customer = ledger.customers.get(command.customer_id)
    if customer is None or not may_touch(customer.client_id, command.tenant_id):
        return refusal(RefusalReason.CUSTOMER_UNKNOWN, "customer_id")
    if customer.status is not CustomerStatus.VERIFIED:
        return refusal(RefusalReason.CUSTOMER_NOT_VERIFIED, "customer_id")
    if account_id_of(command.customer_id, command.currency) in ledger.accounts:
        return refusal(RefusalReason.ACCOUNT_EXISTS, "currency")
    return [_open(ledger, customer, command.currency, command.metadata, at)]


def close_customer(ledger: Ledger, command: CloseCustomer, at: datetime) -> Sequence[Event] | Refusal:
    """Serve a customer no more, once every account is closed. What was kept about the customer stays."""
    customer = ledger.customers.get(command.customer_id)
    if customer is None or not may_touch(customer.client_id, command.tenant_id):
        return refusal(RefusalReason.CUSTOMER_UNKNOWN, "customer_id")
    if customer.status is CustomerStatus.CLOSED:
        return refusal(RefusalReason.CUSTOMER_CLOSED, "customer_id")
    if any(account.status is not AccountStatus.CLOSED for account in ledger.accounts_of(command.customer_id)):
        return refusal(RefusalReason.CUSTOMER_HAS_ACCOUNTS, "customer_id")
    ledger.customers.put(command.customer_id, replace(customer, status=CustomerStatus.CLOSED, closed_at=at))
    return [CustomerClosed(customer_id=command.customer_id, closed_at=at)]


def freeze(ledger: Ledger, command: Freeze, at: datetime) -> Sequence[Event] | Refusal:
    """Let an account pay no more, nor receive unless that is asked for."""
    account = ledger.customers_account(command.account_id, command.tenant_id)
    if account is None:
        return refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    if command.may_receive and account.status is AccountStatus.FROZEN:
        # To let money in again is to thaw it, and that takes a customer who may be served.
        return refusal(RefusalReason.ACCOUNT_FROZEN, "account_id")
    return _freeze(ledger, account, at, may_receive=command.may_receive)


def thaw(ledger: Ledger, command: Thaw, at: datetime) -> Sequence[Event] | Refusal:
    """Let a frozen account pay and receive again."""
    account = ledger.customers_account(command.account_id, command.tenant_id)
    if account is None:
        return refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if ledger.customers[account.owner_id].status is not CustomerStatus.VERIFIED:
        return refusal(RefusalReason.CUSTOMER_NOT_VERIFIED, "account_id")
    if account.status not in (AccountStatus.FROZEN, AccountStatus.DEBITS_FROZEN):
        return refusal(RefusalReason.ACCOUNT_NOT_FROZEN, "account_id")
    ledger.accounts.put(account.account_id, replace(account, status=AccountStatus.OPEN))
    return [AccountThawed(account_id=account.account_id, customer_id=account.owner_id, thawed_at=at)]


def close(ledger: Ledger, command: Close, at: datetime) -> Sequence[Event] | Refusal:
    """Close an account that holds nothing."""
    account = ledger.customers_account(command.account_id, command.tenant_id)
    if account is None:
        return refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    if account.posted_minor or account.held_minor:
        return refusal(RefusalReason.ACCOUNT_NOT_EMPTY, "account_id")
    ledger.accounts.put(account.account_id, replace(account, status=AccountStatus.CLOSED))
    return [AccountClosed(account_id=account.account_id, customer_id=account.owner_id, closed_at=at)]


def set_bounds(ledger: Ledger, command: SetBounds, at: datetime) -> Sequence[Event] | Refusal:
    """Let an account be overdrawn down to its floor, and hold no more than its ceiling. Neither may be passed yet."""
    account = ledger.customers_account(command.account_id)
    if account is None:
        return refusal(RefusalReason.ACCOUNT_UNKNOWN, "account_id")
    if account.status is AccountStatus.CLOSED:
        return refusal(RefusalReason.ACCOUNT_CLOSED, "account_id")
    if account.currency != command.currency:
        return refusal(RefusalReason.CURRENCY_NOT_HELD, "currency")
    account = replace(account, floor_minor=command.floor_minor, ceiling_minor=command.ceiling_minor)
    if not account.can_pay(0):
        return refusal(RefusalReason.BOUND_IS_PASSED, "overdraft")
    if not account.can_receive(0):
        return refusal(RefusalReason.BOUND_IS_PASSED, "ceiling")
    ledger.accounts.put(account.account_id, account)
    return [
        AccountBoundsSet(
            account_id=account.account_id,
            customer_id=account.owner_id,
            floor_minor=command.floor_minor,
            ceiling_minor=command.ceiling_minor,
            currency=account.currency,
            set_at=at,
        )
    ]


def _open(ledger: Ledger, customer: Customer, currency: str, metadata: Mapping[str, str] | None, at: datetime) -> Event:
    account = Account(
        account_id=account_id_of(customer.customer_id, currency),
        customer_id=customer.customer_id,
        client_id=customer.client_id,
        kind=AccountKind.CUSTOMER,
        currency=currency,
        metadata=metadata,
        tier=customer.tier,
    )
    ledger.accounts.put(account.account_id, account)
    return AccountOpened(
        account_id=account.account_id,
        customer_id=customer.customer_id,
        client_id=customer.client_id,
        currency=currency,
        opened_at=at,
    )


def _turn_away(ledger: Ledger, customer_id: str, status: CustomerStatus, at: datetime) -> Sequence[Event]:
    customer = ledger.customers[customer_id]
    if customer.status is CustomerStatus.CLOSED:
        return []
    ledger.customers.put(customer_id, replace(customer, status=status))
    return [
        event
        for account in ledger.accounts_of(customer_id)
        if account.status is not AccountStatus.CLOSED
        for event in _freeze(ledger, account, at)
    ]


def _freeze(ledger: Ledger, account: Account, at: datetime, *, may_receive: bool = False) -> Sequence[Event]:
    status = AccountStatus.DEBITS_FROZEN if may_receive else AccountStatus.FROZEN
    if account.status is status:
        return []
    ledger.accounts.put(account.account_id, replace(account, status=status))
    return [
        AccountFrozen(
            account_id=account.account_id, customer_id=account.owner_id, may_receive=may_receive, frozen_at=at
        )
    ]
