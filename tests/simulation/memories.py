"""The services' databases, as dictionaries: load what a batch may touch, absorb what it changed."""

from collections.abc import Sequence
from datetime import timedelta

from libs.common.message import Message
from services.accounts.domain.ledger import Account, Customer, Entry, Hold, Ledger, Transfer, internal_accounts
from services.payments.domain.payment import Batch, KnownAccount, Payment, Payments, Policy
from tests.simulation.world import absorb, select


class PaymentsMemory:
    """What payments keeps."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.payments: dict[str, Payment] = {}
        self.accounts: dict[str, KnownAccount] = {}
        self.batches: dict[str, Batch] = {}

    def load(self, messages: Sequence[Message]) -> Payments:
        bodies = [message.body for message in messages]
        named = {getattr(body, field, None) for body in bodies for field in _ACCOUNT_FIELDS}
        return Payments(
            payments=select(self.payments, {getattr(body, "payment_id", None) for body in bodies}),
            accounts=select(self.accounts, named),
            batches=select(self.batches, {getattr(body, "batch_id", None) for body in bodies}),
            policy=self.policy,
        )

    def absorb(self, state: Payments) -> None:
        absorb(self.payments, state.payments, lambda payment: payment.payment_id)
        absorb(self.accounts, state.accounts, lambda account: account.account_id)
        absorb(self.batches, state.batches, lambda batch: batch.batch_id)


class AccountsMemory:
    """What accounts keeps."""

    def __init__(self, hold_lifetime: timedelta) -> None:
        self.hold_lifetime = hold_lifetime
        self.customers: dict[str, Customer] = {}
        self.accounts: dict[str, Account] = {account.account_id: account for account in internal_accounts("EUR")}
        self.holds: dict[str, Hold] = {}
        self.transfers: list[Transfer] = []
        self.entries: list[Entry] = []

    def load(self, messages: Sequence[Message]) -> Ledger:
        # Everything: a decision that touched what the real store doesn't load would fail on the real parts.
        return Ledger(
            customers=dict(self.customers),
            accounts=dict(self.accounts),
            holds=dict(self.holds),
            hold_lifetime=self.hold_lifetime,
        )

    def absorb(self, state: Ledger) -> None:
        absorb(self.customers, state.customers, lambda customer: customer.customer_id)
        absorb(self.accounts, state.accounts, lambda account: account.account_id)
        absorb(self.holds, state.holds, lambda hold: hold.payment_id)
        self.transfers += state.transfers
        self.entries += state.entries


_ACCOUNT_FIELDS = ("account_id", "debtor_account_id", "creditor_account_id")
