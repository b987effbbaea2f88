"""What the API of accounts answers, for its OpenAPI page. `queries` writes it; a test holds the two together."""

from datetime import datetime

from pydantic import Field

from libs.common.fields import View
from schemas.accounts.events import CustomerKind
from services.accounts.domain.chart import AccountKind, AccountType
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import AccountStatus, CustomerStatus, HoldKind, HoldStatus


class AccountView(View):
    """An account: `posted` is what it has, `held` what of it is set aside, `available` the rest.

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


class StatementView(AccountView):
    """An account with a page of its entries over a period, and the number to go on after if there are more.

    `opening` and `closing` are the balances before and after the whole period, which has `entry_count` entries;
    `closing_hash` stands for all that was entered until its end.
    """

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
    """A transfer as it was recorded."""

    transfer_id: str
    kind: TransferKind
    link_id: str | None
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


class HoldView(View):
    """Money set aside: `posted` of the `amount` has been moved, `left` is still held, with the `fee` on top."""

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
