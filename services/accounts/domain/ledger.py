"""The ledger: customers, accounts, holds, refunds, and money moved between accounts. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from libs.common.chain import NO_HASH
from libs.common.personal_data import READABLE, Keys
from libs.common.record import Record, replace
from libs.common.state import Aggregates, Journal, Numbered, State
from libs.common.tenants import may_touch
from schemas.accounts.events import (
    ACCOUNT,
    CUSTOMER,
    FUNDS,
    HOLD,
    REFUND,
    TRANSFER,
    CustomerKind,
    CustomerPersonalData,
    DeclineReason,
    EncryptedPersonalData,
    PostRefusal,
    RefundRefusal,
)
from services.accounts.domain.chart import AccountKind
from services.accounts.domain.journal import Entry, Transfer, TransferKind, digest_of, hash_of
from services.accounts.domain.limits import STANDARD_LIMITS, UNLIMITED, Limits, LimitTable

BALANCE_MINOR_MAX = 2**63 - 1
"""Of an account or lane, in minor units, on either side of zero: what 64 bits hold."""


class CustomerStatus(StrEnum):
    REGISTERED = "registered"
    VERIFIED = "verified"
    REFUSED = "refused"
    RESTRICTED = "restricted"
    CLOSED = "closed"


class AccountStatus(StrEnum):
    OPEN = "open"
    DEBITS_FROZEN = "debits_frozen"
    """May receive, and not pay."""
    FROZEN = "frozen"
    CLOSED = "closed"


class HoldKind(StrEnum):
    """By whose word a hold ends."""

    PAYMENT = "payment"
    REQUEST = "request"


class HoldStatus(StrEnum):
    HELD = "held"
    DECLINED = "declined"
    POSTED = "posted"
    BLOCKED = "blocked"
    RELEASED = "released"


class RefundStatus(StrEnum):
    POSTED = "posted"
    REFUSED = "refused"


class Customer(Record):
    customer_id: str
    client_id: str | None = None
    """The client that it is a customer of; None: of the house, which staff registers for."""
    kind: CustomerKind
    personal: CustomerPersonalData | EncryptedPersonalData
    status: CustomerStatus = CustomerStatus.REGISTERED
    tier: int = 0
    wanted_currencies: tuple[str, ...] = ()
    """The accounts to open once compliance has verified the customer."""
    closed_at: datetime | None = None
    sequence: int = 0


class Account(Record):
    """An account, or the lane of one of the house's that this batch has locked."""

    account_id: str
    lane: int = 0
    customer_id: str | None
    client_id: str | None = None
    """Its customer's."""
    kind: AccountKind
    currency: str
    metadata: Mapping[str, str] | None = None
    status: AccountStatus = AccountStatus.OPEN
    is_blocked: bool = False
    """Whether all that becomes available on it is a listed party's property."""
    tier: int | None = None
    """Its customer's, which limits what it may pay; None: no limits."""
    floor_minor: int | None = 0
    """What the available balance may not pass; None: none but what 64 bits hold."""
    ceiling_minor: int | None = None
    """What the posted balance may not pass; None: none but what 64 bits hold."""
    posted_minor: int = 0
    held_minor: int = 0
    entry_count: int = 0
    entry_hash: bytes = NO_HASH
    """The hash of the newest entry."""
    recorded_at: datetime | None = None
    """When the newest entry was recorded."""
    spent_on: date | None = None
    """The day of the newest payment or hold."""
    spent_day_minor: int = 0
    """What was paid, or held to be paid, on that day."""
    spent_month_minor: int = 0
    """And in its month."""
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
        floor_minor = -BALANCE_MINOR_MAX if self.floor_minor is None else self.floor_minor
        return self.available_minor - amount_minor >= floor_minor

    def can_receive(self, amount_minor: int) -> bool:
        ceiling_minor = BALANCE_MINOR_MAX if self.ceiling_minor is None else self.ceiling_minor
        return self.posted_minor + amount_minor <= ceiling_minor

    def spent(self, on: date) -> tuple[int, int]:
        """What was spent on a day, and in its month so far."""
        if self.spent_on is None or (on.year, on.month) > (self.spent_on.year, self.spent_on.month):
            return 0, 0
        # A clock set back: what is counted is the newest day's.
        return (0 if on > self.spent_on else self.spent_day_minor), self.spent_month_minor

    def spending(self, amount_minor: int, on: date) -> dict[str, Any]:
        """The fields that change when it spends."""
        day, month = self.spent(on)
        return {
            "spent_on": on if self.spent_on is None else max(on, self.spent_on),
            "spent_day_minor": min(day + amount_minor, BALANCE_MINOR_MAX),
            "spent_month_minor": min(month + amount_minor, BALANCE_MINOR_MAX),
        }

    def unspending(self, amount_minor: int, held_on: date) -> dict[str, Any]:
        """The fields that change when something held is not spent after all."""
        if self.spent_on is None or (held_on.year, held_on.month) != (self.spent_on.year, self.spent_on.month):
            return {}
        day_minor = self.spent_day_minor - (amount_minor if held_on == self.spent_on else 0)
        month_minor = max(0, self.spent_month_minor - amount_minor)
        # What a clock set back has held was counted on a later day: a day is never more than its month.
        return {"spent_day_minor": min(max(0, day_minor), month_minor), "spent_month_minor": month_minor}


class Hold(Record):
    """Money set aside. Of a payment's money it tells all that became of it, from the first word about it on."""

    hold_id: str
    """The payment's id, if it is for a payment."""
    kind: HoldKind = HoldKind.PAYMENT
    debtor_account_id: str
    creditor_account_id: str | None = None
    amount_minor: int = 0
    fee_minor: int = 0
    """What is held on top, for the house."""
    currency: str = ""
    held_on: date | None = None
    """The day it was counted on towards the limits."""
    status: HoldStatus
    posted_minor: int = 0
    """What of the amount has been moved."""
    posted_fee_minor: int = 0
    refunded_minor: int = 0
    decline_reason: DeclineReason | None = None
    post_refusal: PostRefusal | None = None
    """Why the last approval could not be followed. Only a new approval tries again."""
    expires_at: datetime | None = None
    transfer_id: str | None = None
    """The transfer that moved the money last."""
    sequence: int = 0

    @property
    def left_minor(self) -> int:
        """What is still set aside."""
        if self.status is not HoldStatus.HELD:
            return 0
        return self.amount_minor + self.fee_minor - self.posted_minor - self.posted_fee_minor


class Refund(Record):
    """What became of a refund."""

    refund_id: str
    payment_id: str
    amount_minor: int
    status: RefundStatus
    refusal: RefundRefusal | None = None
    transfer_id: str | None = None
    sequence: int = 0


class Ledger(State):
    """What a batch may touch: customers, accounts, holds and refunds, locked; transfers and entries, appended."""

    def __init__(
        self,
        *,
        customers: Mapping[str, Customer],
        accounts: Mapping[str, Account],
        holds: Mapping[str, Hold],
        hold_lifetime: timedelta,
        recorded_at: datetime,
        refunds: Mapping[str, Refund] | None = None,
        transfers: Mapping[str, Transfer] | None = None,
        limits: LimitTable = STANDARD_LIMITS,
        parked_account_ids: frozenset[str] = frozenset(),
        keys: Keys = READABLE,
    ) -> None:
        """`recorded_at` is when all was locked, by the database's clock, which all who move money share. `transfers`
        are those that may be taken back, with those linked to them, and those that took them back before.
        `parked_account_ids` are payers' about whom messages wait to be applied. `keys` are those of new
        customers."""
        self.customers: Aggregates[Customer] = Aggregates(customers)
        self.accounts: Aggregates[Account] = Aggregates(accounts)
        self.holds: Aggregates[Hold] = Aggregates(holds)
        self.refunds: Aggregates[Refund] = Aggregates(refunds or {})
        self.transfers: Aggregates[Transfer] = Aggregates(transfers or {})
        self.entries: Journal[Entry] = Journal()
        self.hold_lifetime = hold_lifetime
        self.recorded_at = recorded_at
        self.parked_account_ids = parked_account_ids
        self.keys = keys
        self._limits = limits
        super().__init__(
            self.customers,
            self.accounts,
            self.holds,
            self.refunds,
            self.transfers,
            self.entries,
            numbering={
                CUSTOMER: Numbered(aggregates=self.customers),
                ACCOUNT: Numbered(aggregates=self.accounts),
                FUNDS: Numbered(aggregates=self.holds),
                HOLD: Numbered(aggregates=self.holds),
                REFUND: Numbered(aggregates=self.refunds),
                TRANSFER: None,
            },
        )

    def customers_account(self, account_id: str, tenant_id: str | None = None) -> Account | None:
        """An account of some customer of this tenant's; None: of anyone's. The house's own are nobody's to pay from, to
        fund, freeze or close."""
        account = self.accounts.get(account_id)
        if account is None or account.kind is not AccountKind.CUSTOMER:
            return None
        return account if may_touch(account.client_id, tenant_id) else None

    def limits_of(self, debtor: Account | None) -> Limits:
        """What a customer may pay from an account; the house has no limits."""
        return UNLIMITED if debtor is None else self._limits.of(debtor.tier, debtor.currency)

    def accounts_of(self, customer_id: str) -> list[Account]:
        """In the order of their ids, whichever of them this batch has opened: what is told has its place by it."""
        found = [account for account in self.accounts.values() if account.customer_id == customer_id]
        return sorted(found, key=lambda account: account.account_id)

    def hold(self, account_id: str, amount_minor: int, at: datetime) -> date:
        """Set money aside; the day it was counted on. Whether it is there was decided before."""
        account = self.accounts[account_id]
        spending = account.spending(amount_minor, at.date())
        account = replace(account, held_minor=account.held_minor + amount_minor, **spending)
        self.accounts.put(account_id, account)
        assert account.spent_on is not None
        return account.spent_on

    def give_back(self, hold: Hold) -> None:
        """Let go of what is still set aside."""
        account = self.accounts[hold.debtor_account_id]
        assert hold.held_on is not None
        unspending = account.unspending(hold.left_minor, hold.held_on)
        self.accounts.put(
            account.account_id, replace(account, held_minor=account.held_minor - hold.left_minor, **unspending)
        )

    def transfer(
        self,
        transfer_id: str,
        kind: TransferKind,
        *,
        debit_account_id: str,
        credit_account_id: str,
        amount_minor: int,
        at: datetime,
        effective_at: datetime | None = None,
        held_minor: int = 0,
        spending: bool = False,
        **about: Any,
    ) -> Transfer:
        """Move money: both balances, both entries. Whether it may be moved was decided before.

        `held_minor` of it had been set aside; `about` are other fields of the transfer.
        """
        debtor, creditor = self.accounts[debit_account_id], self.accounts[credit_account_id]
        # In each account's books time never runs backwards, whatever becomes of a clock: a moment has one balance.
        recorded_at = self.recorded_at
        recorded_at = max(recorded_at, debtor.recorded_at or recorded_at, creditor.recorded_at or recorded_at)
        transfer = Transfer(
            transfer_id=transfer_id,
            kind=kind,
            debit_account_id=debit_account_id,
            credit_account_id=credit_account_id,
            amount_minor=amount_minor,
            currency=debtor.currency,
            effective_at=effective_at or recorded_at,
            recorded_at=recorded_at,
            **about,
        )
        digest = digest_of(transfer)
        # It may be taken back later in this very batch.
        self.transfers.put(transfer_id, transfer)
        spent = debtor.spending(amount_minor, at.date()) if spending else {}
        self._enter(transfer, digest, debtor, -amount_minor, held_minor=debtor.held_minor - held_minor, **spent)
        self._enter(transfer, digest, creditor, amount_minor)
        return transfer

    def _enter(self, transfer: Transfer, digest: bytes, account: Account, amount_minor: int, **changes: Any) -> None:
        number, balance_minor = account.entry_count + 1, account.posted_minor + amount_minor
        account_id, lane = account.account_id, account.lane
        hash_ = hash_of(account.entry_hash, digest, account_id, lane, number, amount_minor, balance_minor)
        self.accounts.put(
            account_id,
            replace(
                account,
                posted_minor=balance_minor,
                entry_count=number,
                entry_hash=hash_,
                recorded_at=transfer.recorded_at,
                **changes,
            ),
        )
        self.entries.append(
            Entry(
                account_id=account_id,
                lane=lane,
                number=number,
                transfer_id=transfer.transfer_id,
                amount_minor=amount_minor,
                balance_minor=balance_minor,
                effective_at=transfer.effective_at,
                recorded_at=transfer.recorded_at,
                hash=hash_,
            )
        )


def house_account(account_id: str, kind: AccountKind, currency: str, lane: int = 0) -> Account:
    """An account of the house as it begins. None of them has a floor."""
    return Account(account_id=account_id, lane=lane, customer_id=None, kind=kind, currency=currency, floor_minor=None)
