"""A ledger kept in memory, and short words for what happens to it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.batch import Decided, Refusal, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.record import Record, replace
from schemas.accounts.events import CustomerKind, CustomerPersonalData
from schemas.payments.events import (
    Answer,
    Channel,
    Party,
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentRejected,
    PaymentReleaseRequested,
    PublicReason,
)
from services.accounts.domain.chart import AccountKind, house_accounts
from services.accounts.domain.customers import account_id_of
from services.accounts.domain.holds import ExpireHold
from services.accounts.domain.journal import Entry, Transfer
from services.accounts.domain.ledger import Account, Customer, CustomerStatus, Hold, Ledger, Refund, house_account
from services.accounts.domain.transfers import Fund
from services.accounts.handlers import handlers
from services.accounts.settings import AccountsSettings

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LIFETIME = timedelta(days=30)
HANDLERS = handlers(AccountsSettings(database_url="postgresql://nowhere", hold_seconds=int(LIFETIME.total_seconds())))

ANN, BEN = ids.named("ann"), ids.named("ben")
ANNS, BENS = account_id_of(ANN, "EUR"), account_id_of(BEN, "EUR")
BENS_DOLLARS = account_id_of(BEN, "USD")
NOBODYS = ids.named("nobody's account")


def customer(customer_id: str, status: CustomerStatus = CustomerStatus.VERIFIED, *, tier: int = 3) -> Customer:
    return Customer(
        customer_id=customer_id,
        kind=CustomerKind.PERSON,
        personal=CustomerPersonalData(name="Ann"),
        status=status,
        tier=tier,
    )


def account(account_id: str, customer_id: str, currency: str = "EUR", **fields: Any) -> Account:
    return Account(
        account_id=account_id, customer_id=customer_id, kind=AccountKind.CUSTOMER, currency=currency, **fields
    )


class Books:
    """What accounts keeps. Ann has 100.00, Ben nothing."""

    def __init__(self, *, changes: Mapping[str, Mapping[str, Any]] | None = None, without: Iterable[str] = ()) -> None:
        """`changes` are other fields for accounts; `without` are accounts that don't exist."""
        known = [
            *(
                house_account(id_, house.kind, house.currency)
                for id_, house in house_accounts().items()
                if house.currency in ("EUR", "USD")
            ),
            *(account(ANNS, ANN), account(BENS, BEN), account(BENS_DOLLARS, BEN, "USD")),
        ]
        self.customers = {ANN: customer(ANN), BEN: customer(BEN)}
        self.accounts = {a.account_id: a for a in known if a.account_id not in set(without)}
        self.holds: dict[str, Hold] = {}
        self.refunds: dict[str, Refund] = {}
        self.transfers: list[Transfer] = []
        self.entries: list[Entry] = []
        self.now = START
        self.events: list[Event] = []
        """What the last batch led to."""
        self._heard = 0
        if ANNS in self.accounts:
            self.hears(fund(ANNS, 100_00))
        self.set(changes or {})

    def set(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Change fields of accounts, as if something else had."""
        for id_, fields in changes.items():
            self.accounts[id_] = replace(self.accounts[id_], **fields)

    @property
    def told(self) -> list[str]:
        """The types of the events that the last batch led to."""
        return [type(event).__name__ for event in self.events]

    def hears(self, *bodies: Record) -> list[Event]:
        """Decide on messages in one batch. Raises AssertionError if one of them would be a dead letter."""
        for result in self.run(bodies):
            assert result.outcome is Outcome.APPLIED, result.error
        return self.events

    def refuses(self, body: Record) -> tuple[str, str | None] | None:
        """Reason and field with which a request is refused, if it is."""
        (result,) = self.run([body])
        assert result.outcome is Outcome.APPLIED, result.error
        return (result.refusal.reason, result.refusal.field) if isinstance(result.refusal, Refusal) else None

    def run(self, bodies: Sequence[Record]) -> list[Decided]:
        ledger = Ledger(
            customers=self.customers,
            accounts=self.accounts,
            holds=self.holds,
            refunds=self.refunds,
            originals={transfer.transfer_id: transfer for transfer in self.transfers},
            reversed_ids=frozenset(t.reversed_transfer_id for t in self.transfers if t.reversed_transfer_id),
            hold_lifetime=LIFETIME,
        )
        self.events = []
        decided = decide_all(HANDLERS, ledger, [self._message(body) for body in bodies], self._encode)
        self.customers = {c.customer_id: c for c in ledger.customers.values()}
        self.accounts = {a.account_id: a for a in ledger.accounts.values()}
        self.holds = {h.hold_id: h for h in ledger.holds.values()}
        self.refunds = {r.refund_id: r for r in ledger.refunds.values()}
        self.transfers += ledger.transfers
        self.entries += ledger.entries
        return decided

    def money(self, account_id: str) -> tuple[int, int, int]:
        """Posted, held and available."""
        found = self.accounts[account_id]
        return found.posted_minor, found.held_minor, found.available_minor

    def _message(self, body: Record) -> Message:
        self._heard += 1
        message_id = ids.derive(ANN, "heard", self._heard)
        return Message(
            message_id=message_id,
            body=body,
            received_at=self.now,
            trace=Trace(correlation_id=message_id, traceparent=""),
        )

    def _encode(self, event: Event) -> bytes:
        self.events.append(event)
        return b""


def fund(account_id: str, amount_minor: int, currency: str = "EUR", transfer: str = "funding") -> Fund:
    return Fund(
        transfer_id=ids.named(transfer, account_id), account_id=account_id, amount_minor=amount_minor, currency=currency
    )


class Pay:
    """A payment of Ann's, and what payments says about it."""

    def __init__(
        self,
        number: int = 1,
        amount_minor: int = 30_00,
        *,
        debtor: str = ANNS,
        creditor: str = BENS,
        currency: str = "EUR",
    ) -> None:
        self.payment_id = ids.named("payment", str(number))
        self.order = PaymentOrder(
            client_id="shop",
            debtor_account_id=debtor,
            creditor_account_id=creditor,
            debtor_customer_id=ANN,
            creditor_customer_id=BEN,
            amount_minor=amount_minor,
            currency=currency,
            channel=Channel.API,
            instructed_at=START,
            personal=PaymentPersonalData(debtor=Party(name="Ann"), creditor=Party(name="Ben")),
        )

    @property
    def initiated(self) -> PaymentInitiated:
        return PaymentInitiated(payment_id=self.payment_id, order=self.order, initiated_at=START)

    @property
    def approved(self) -> PaymentApproved:
        return PaymentApproved(**self._money, approved_at=START)

    @property
    def block_requested(self) -> PaymentBlockRequested:
        return PaymentBlockRequested(**self._money, requested_at=START)

    @property
    def rejected(self) -> PaymentRejected:
        return PaymentRejected(**self._about, reason=PublicReason.DECLINED, rejected_at=START)

    @property
    def cancelled(self) -> PaymentCancelled:
        return PaymentCancelled(**self._about, cancelled_at=START)

    @property
    def release_requested(self) -> PaymentReleaseRequested:
        return PaymentReleaseRequested(**self._about, requested_at=START)

    @property
    def expired(self) -> ExpireHold:
        return ExpireHold(hold_id=self.payment_id)

    def overdue(self, *awaited: Answer) -> PaymentAnswerOverdue:
        return PaymentAnswerOverdue(payment_id=self.payment_id, order=self.order, awaited=awaited, overdue_at=START)

    @property
    def _about(self) -> dict[str, Any]:
        return {"payment_id": self.payment_id, "debtor_account_id": self.order.debtor_account_id}

    @property
    def _money(self) -> dict[str, Any]:
        order = self.order
        return self._about | {
            "creditor_account_id": order.creditor_account_id,
            "amount_minor": order.amount_minor,
            "currency": order.currency,
        }
