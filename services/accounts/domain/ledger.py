"""The ledger: customers, their accounts, and the money set aside and moved. Pure.

Balances are kept credit-positive: an account's posted balance is what it has received minus what it
has paid. Held money is posted money set aside; what is available is the difference, and it never
passes the account's floor.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common import ids
from libs.common.record import Record, replace
from libs.common.state import Aggregates, Journal, Numbered, State
from schemas.accounts.events import (
    ACCOUNT,
    CUSTOMER,
    FUNDS,
    CustomerKind,
    CustomerPersonalData,
    DeclineReason,
    PostRefusal,
)


class CustomerStatus(StrEnum):
    REGISTERED = "registered"
    VERIFIED = "verified"
    REFUSED = "refused"
    RESTRICTED = "restricted"


class AccountKind(StrEnum):
    CUSTOMER = "customer"
    EXTERNAL = "external"
    """The world outside: what came in from it is what it is owed, so it stands below zero."""
    BLOCKED_FUNDS = "blocked_funds"
    """What belongs to listed parties: neither returned nor released (31 CFR 501.603)."""


class AccountStatus(StrEnum):
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


class HoldStatus(StrEnum):
    HELD = "held"
    DECLINED = "declined"
    POSTED = "posted"
    BLOCKED = "blocked"
    RELEASED = "released"


class TransferKind(StrEnum):
    FUNDING = "funding"
    PAYMENT = "payment"
    BLOCKING = "blocking"


class Customer(Record):
    customer_id: str
    kind: CustomerKind
    personal: CustomerPersonalData
    status: CustomerStatus = CustomerStatus.REGISTERED
    tier: int = 0
    wanted_currencies: tuple[str, ...] = ()
    """The accounts to open once compliance has verified the customer."""
    sequence: int = 0


class Account(Record):
    account_id: str
    customer_id: str | None
    kind: AccountKind
    currency: str
    status: AccountStatus = AccountStatus.OPEN
    floor_minor: int | None = 0
    """What the available balance may not pass; None: no floor."""
    debit_max_minor: int | None = None
    """The largest single payment; None: no limit."""
    posted_minor: int = 0
    held_minor: int = 0
    entry_count: int = 0
    sequence: int = 0

    @property
    def available_minor(self) -> int:
        return self.posted_minor - self.held_minor

    @property
    def owner_id(self) -> str:
        """The customer it belongs to. Raises ValueError for an account of the house."""
        if self.customer_id is None:
            raise ValueError(f"account {self.account_id} belongs to no customer")
        return self.customer_id

    def can_pay(self, amount_minor: int) -> bool:
        return self.floor_minor is None or self.available_minor - amount_minor >= self.floor_minor


class Hold(Record):
    """What became of one payment's money. Exists from the first word about the payment on."""

    payment_id: str
    debtor_account_id: str
    creditor_account_id: str | None = None
    amount_minor: int = 0
    currency: str = ""
    status: HoldStatus
    decline_reason: DeclineReason | None = None
    post_refusal: PostRefusal | None = None
    """Why the last approval could not be followed. Only a new approval tries again."""
    expires_at: datetime | None = None
    transfer_id: str | None = None
    sequence: int = 0


class Transfer(Record):
    """Money moved from one account to another: balanced by construction."""

    transfer_id: str
    kind: TransferKind
    payment_id: str | None = None
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    reference: str | None = None
    effective_at: datetime
    recorded_at: datetime


class Entry(Record):
    """One leg of a transfer, as an account's statement shows it."""

    account_id: str
    number: int
    """Its place among the account's entries, from 1 without a gap."""
    transfer_id: str
    amount_minor: int
    """Credits are positive, debits negative."""
    balance_minor: int
    """The posted balance after it."""
    effective_at: datetime
    recorded_at: datetime


class Ledger(State):
    """What a batch may touch: customers, accounts and holds, locked; transfers and entries, appended."""

    def __init__(
        self,
        *,
        customers: Mapping[str, Customer],
        accounts: Mapping[str, Account],
        holds: Mapping[str, Hold],
        hold_lifetime: timedelta,
    ) -> None:
        self.customers: Aggregates[Customer] = Aggregates(customers)
        self.accounts: Aggregates[Account] = Aggregates(accounts)
        self.holds: Aggregates[Hold] = Aggregates(holds)
        self.transfers: Journal[Transfer] = Journal()
        self.entries: Journal[Entry] = Journal()
        self.hold_lifetime = hold_lifetime
        super().__init__(
            self.customers,
            self.accounts,
            self.holds,
            self.transfers,
            self.entries,
            numbering={
                CUSTOMER: Numbered(aggregates=self.customers),
                ACCOUNT: Numbered(aggregates=self.accounts),
                FUNDS: Numbered(aggregates=self.holds),
            },
        )

    def customers_account(self, account_id: str) -> Account | None:
        """An account of some customer. The house's own are nobody's to pay from, to fund, freeze or close."""
        account = self.accounts.get(account_id)
        return account if account is not None and account.kind is AccountKind.CUSTOMER else None

    def accounts_of(self, customer_id: str) -> list[Account]:
        return [account for account in self.accounts.values() if account.customer_id == customer_id]

    def transfer(self, transfer: Transfer) -> None:
        """Move money: both balances, both entries. Whether it may be moved was decided before."""
        self.transfers.append(transfer)
        self._enter(transfer, transfer.debit_account_id, -transfer.amount_minor)
        self._enter(transfer, transfer.credit_account_id, transfer.amount_minor)

    def _enter(self, transfer: Transfer, account_id: str, amount_minor: int) -> None:
        account = self.accounts[account_id]
        account = replace(
            account, posted_minor=account.posted_minor + amount_minor, entry_count=account.entry_count + 1
        )
        self.accounts.put(account_id, account)
        self.entries.append(
            Entry(
                account_id=account_id,
                number=account.entry_count,
                transfer_id=transfer.transfer_id,
                amount_minor=amount_minor,
                balance_minor=account.posted_minor,
                effective_at=transfer.effective_at,
                recorded_at=transfer.recorded_at,
            )
        )


def external_account_id(currency: str) -> str:
    """The account that stands for the world outside, one per currency."""
    return ids.named("accounts", AccountKind.EXTERNAL, currency)


def blocked_funds_account_id(currency: str) -> str:
    """The account that holds what belongs to listed parties, one per currency."""
    return ids.named("accounts", AccountKind.BLOCKED_FUNDS, currency)


def internal_accounts(currency: str) -> list[Account]:
    """The accounts every currency needs that belong to no customer. None of them has a floor."""
    return [
        Account(account_id=account_id, customer_id=None, kind=kind, currency=currency, floor_minor=None)
        for account_id, kind in (
            (external_account_id(currency), AccountKind.EXTERNAL),
            (blocked_funds_account_id(currency), AccountKind.BLOCKED_FUNDS),
        )
    ]
