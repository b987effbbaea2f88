"""What the API of accounts answers, for its OpenAPI page. `queries` writes it; a test holds the two together."""

from datetime import datetime

from libs.common.fields import View
from schemas.accounts.events import CustomerKind
from services.accounts.domain.ledger import AccountKind, AccountStatus, CustomerStatus, TransferKind


class AccountView(View):
    """An account: `posted` is what it has, `held` what of it is set aside, `available` the rest."""

    account_id: str
    customer_id: str | None
    kind: AccountKind
    currency: str
    status: AccountStatus
    posted: str
    held: str
    available: str


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
    reference: str | None
    amount: str
    balance: str
    effective_at: datetime
    recorded_at: datetime


class StatementView(AccountView):
    """An account with a page of its entries, and the number to go on after if there are more."""

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
    """A customer, how far it is verified, and its accounts."""

    customer_id: str
    kind: CustomerKind
    status: CustomerStatus
    tier: int
    name: str
    country: str | None = None
    birth_date: str | None = None
    address: str | None = None
    accounts: list[AccountView]


class FundingView(View):
    """Money from outside that has been credited."""

    transfer_id: str
    account_id: str
    amount: str
    currency: str
    status: str


class RefusedFundingView(View):
    """Money from outside that has not been credited, and why."""

    status: str
    reason: str
    detail: str
    field: str | None


class FundingBatchView(View):
    """What became of fundings, in the order they were sent."""

    fundings: list[FundingView | RefusedFundingView]


class DifferenceView(View):
    """An account whose kept balance is not what its entries or holds add up to."""

    account_id: str
    kept_minor: int
    computed_minor: int


class BooksView(View):
    """Whether the books balance, and what does not."""

    is_balanced: bool
    entries_by_currency: dict[str, int]
    imbalance_minor_by_currency: dict[str, int]
    balances_differing_from_entries: list[DifferenceView]
    balances_differing_from_holds: list[DifferenceView]
    open_holds: int
