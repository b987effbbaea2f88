"""What the API of accounts answers, for its OpenAPI page. `queries` writes it; a test holds the two together."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from libs.common.fields import View
from schemas.accounts.events import CustomerKind
from services.accounts.domain.chart import AccountKind, AccountType
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import AccountStatus, CustomerStatus, HoldKind, HoldStatus

_STANDING: dict[str, Any] = {
    "account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "customer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5060",
    "kind": "customer",
    "number": 2010,
    "type": "liability",
    "currency": "EUR",
    "status": "open",
    "posted": "237.50",
    "held": "80.00",
    "available": "157.50",
    "floor": "0.00",
    "ceiling": None,
    "lanes": 1,
    "metadata": {"product": "current"},
}
ACCOUNT: dict[str, Any] = {
    **_STANDING,
    "limits": {
        "tier": 1,
        "per_transaction": "1000.00",
        "daily": {"limit": "2500.00", "spent": "92.50", "remaining": "2407.50"},
        "monthly": {"limit": "10000.00", "spent": "1312.50", "remaining": "8687.50"},
    },
}
STATEMENT: dict[str, Any] = {
    **_STANDING,
    "lane": 0,
    "from": "2026-11-01T00:00:00Z",
    "before": None,
    "opening": "250.00",
    "closing": "237.50",
    "closing_hash": "9f2c4b7e61d80a35c1e4f7b2069d8a53e7c14f0b2d6a98c35e71f4b0a2d69c83",
    "entry_count": 1,
    "entries": [
        {
            "number": 2,
            "transfer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5065",
            "kind": "booking",
            "payment_id": None,
            "counterparty_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062",
            "reference": "correction of 3 March",
            "amount": "-12.50",
            "balance": "237.50",
            "effective_at": "2026-11-20T00:00:00Z",
            "recorded_at": "2026-11-23T09:30:00.123456Z",
            "hash": "9f2c4b7e61d80a35c1e4f7b2069d8a53e7c14f0b2d6a98c35e71f4b0a2d69c83",
        }
    ],
    "next_after": None,
}
TRANSFER: dict[str, Any] = {
    "transfer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5065",
    "kind": "booking",
    "link_id": None,
    "link_number": 0,
    "payment_id": None,
    "hold_id": None,
    "reversed_transfer_id": None,
    "reversed_by": None,
    "debit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "credit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062",
    "amount": "12.50",
    "currency": "EUR",
    "reference": "correction of 3 March",
    "metadata": {"ticket": "4711"},
    "effective_at": "2026-11-20T00:00:00Z",
    "recorded_at": "2026-11-23T09:30:00.123456Z",
}
HOLD: dict[str, Any] = {
    "hold_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5064",
    "kind": "request",
    "status": "held",
    "debit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "credit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062",
    "currency": "EUR",
    "amount": "80.00",
    "fee": "0.00",
    "posted": "30.00",
    "left": "50.00",
    "refunded": "0.00",
    "expires_at": "2026-12-01T00:00:00Z",
}


class StandingView(View):
    """What an account has: `posted` is what it has, `held` what of it is set aside, `available` the rest.

    `number` and `type` are its line in the chart of accounts; `lanes` is how many parts its entries stand in.
    """

    account_id: str
    customer_id: str | None
    kind: AccountKind
    number: int
    type: AccountType
    currency: str
    status: AccountStatus
    posted: str
    held: str
    available: str
    floor: str | None
    ceiling: str | None
    lanes: int
    metadata: dict[str, str]


class AllowanceView(View):
    """What may leave an account in a period, what has been paid or is held to be paid, and what is left; without a
    limit just what has been spent.
    """

    limit: str | None
    spent: str
    remaining: str | None


class LimitsView(View):
    """What a customer of this tier may pay: at once, this day and this month, both of UTC. What staff books does not
    count.
    """

    tier: int
    per_transaction: str | None
    daily: AllowanceView
    monthly: AllowanceView


class AccountView(StandingView):
    """An account and what may still leave it; accounts of the house have no limits."""

    model_config = ConfigDict(json_schema_extra={"examples": [ACCOUNT]})

    limits: LimitsView | None


class BalanceView(View):
    """What was posted on an account at an instant."""

    account_id: str
    currency: str
    at: datetime
    by: str
    posted: str


class AccountPage(View):
    """Some accounts, and the cursor of the next page if there is one."""

    accounts: list[AccountView]
    next_cursor: str | None


class EntryView(View):
    """A line of a statement: credits are positive, debits negative; `balance` is what was posted after it."""

    number: int
    transfer_id: str
    kind: TransferKind
    payment_id: str | None
    counterparty_account_id: str
    reference: str | None
    amount: str
    balance: str
    effective_at: datetime
    recorded_at: datetime
    hash: str


class StatementView(StandingView):
    """An account with a page of its entries over a period, and the number to go on after if there are more.

    `opening` and `closing` are the balances before and after the whole period, which has `entry_count` entries;
    `closing_hash` stands for all that was entered until its end.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [STATEMENT]})

    lane: int
    start: datetime | None = Field(alias="from")
    before: datetime | None
    opening: str
    closing: str
    closing_hash: str
    entry_count: int
    entries: list[EntryView]
    next_after: int | None


class WantedAccountView(View):
    """An account that is opened once compliance has verified its customer."""

    account_id: str
    currency: str


class RegisteredView(View):
    """A customer that has just been registered."""

    customer_id: str
    status: CustomerStatus
    accounts: list[WantedAccountView]


class RegisteredBatchView(View):
    """Customers that have just been registered, in the order they were sent."""

    customers: list[RegisteredView]


class CustomerView(View):
    """A customer, how far it is verified, and its accounts; nameless once its personal data have been erased."""

    customer_id: str
    kind: CustomerKind
    status: CustomerStatus
    tier: int
    name: str | None = None
    country: str | None = None
    birth_date: str | None = None
    address: str | None = None
    accounts: list[AccountView]


class ClosedCustomerView(View):
    """A customer that is served no more."""

    customer_id: str
    status: CustomerStatus


class FundingView(View):
    """Money from outside that has been credited."""

    transfer_id: str
    account_id: str
    amount: str
    currency: str
    status: str


class RefusedView(View):
    """What of a batch was refused, and why."""

    status: str
    reason: str
    detail: str
    field: str | None


class FundingBatchView(View):
    """What became of fundings, in the order they were sent."""

    fundings: list[FundingView | RefusedView]


class BookedView(View):
    """Money that has been moved."""

    transfer_id: str
    debit_account_id: str
    credit_account_id: str
    amount: str
    currency: str
    status: str


class BookedBatchView(View):
    """What became of transfers, in the order they were sent."""

    transfers: list[BookedView | RefusedView]


class ConversionView(View):
    """Money that has been changed; `remainder_minor` is what of a minor unit could not be credited."""

    transfer_id: str
    debited: str
    currency: str
    credited: str
    credited_currency: str
    rate: str
    remainder_minor: str
    status: str


class ReversalView(View):
    """The transfer that takes another back."""

    transfer_id: str
    reversed_transfer_id: str


class TransferView(View):
    """A transfer as it was recorded; those that were made with it, all or none, share its `link_id`, numbered in their
    order, and `reversed_by` took it back.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [TRANSFER]})

    transfer_id: str
    kind: TransferKind
    link_id: str | None
    link_number: int
    payment_id: str | None
    hold_id: str | None
    reversed_transfer_id: str | None
    reversed_by: str | None
    debit_account_id: str
    credit_account_id: str
    amount: str
    currency: str
    reference: str | None
    metadata: dict[str, str]
    effective_at: datetime
    recorded_at: datetime


class TransferPage(View):
    """Some transfers, and the cursor of the next page if there is one."""

    transfers: list[TransferView]
    next_cursor: str | None


class HoldView(View):
    """Money set aside: `posted` of the `amount` has been moved, `left` is still held, with the `fee` on top."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOLD]})

    hold_id: str
    kind: HoldKind
    status: HoldStatus
    debit_account_id: str
    credit_account_id: str | None
    currency: str | None
    amount: str | None
    fee: str | None
    posted: str | None
    left: str | None
    refunded: str | None
    expires_at: datetime | None


class HoldPage(View):
    """Some holds, and the cursor of the next page if there is one."""

    holds: list[HoldView]
    next_cursor: str | None


class HoldBatchView(View):
    """What became of postings, in the order they were sent."""

    holds: list[HoldView | RefusedView]


class FaultView(View):
    """The first entry of a lane that is not what was once written."""

    account_id: str
    lane: int
    number: int
    what: str


class VerificationView(View):
    """Whether the hashes of an account's entries are what they were."""

    is_intact: bool
    entries: int
    faults: list[FaultView]


class LineView(View):
    """A line of the chart of accounts with its balance."""

    number: int
    kind: AccountKind
    type: AccountType
    name: str
    accounts: int
    debit: str
    credit: str


class CurrencyBalanceView(View):
    """The trial balance of one currency."""

    currency: str
    lines: list[LineView]


class TrialBalanceView(View):
    """The trial balance, and whether it adds up to zero in each currency."""

    is_balanced: bool
    currencies: list[CurrencyBalanceView]


class DifferenceView(View):
    """An account whose kept balance is not what its entries or holds add up to."""

    account_id: str
    kept_minor: int
    computed_minor: int


class HoldDifferenceView(View):
    """A hold, or the refunds of its payment, that say something else than the transfers."""

    hold_id: str
    what: str = Field(
        description="`posted`, `posted_fee`, `refunded`, `refunds` (of the payment, together) or `blocked`"
    )
    kept_minor: int
    computed_minor: int


class BooksView(View):
    """Whether the books balance, and what does not."""

    is_balanced: bool
    entries_by_currency: dict[str, int]
    imbalance_minor_by_currency: dict[str, int]
    balances_differing_from_entries: list[DifferenceView]
    balances_differing_from_holds: list[DifferenceView]
    holds_differing_from_transfers: list[HoldDifferenceView]
    open_holds: int
