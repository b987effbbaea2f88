"""A ledger kept in memory, and short words for what happens to it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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
    RefundAnswerOverdue,
    RefundRequested,
)
from services.accounts.domain.chart import AccountKind, house_account_id, house_accounts
from services.accounts.domain.customers import account_id_of
from services.accounts.domain.holds import ExpireHold, PlaceHold, PostHold, VoidHold
from services.accounts.domain.journal import Entry, Transfer
from services.accounts.domain.ledger import (
    BALANCE_MINOR_MAX,
    Account,
    AccountStatus,
    Customer,
    CustomerStatus,
    Hold,
    Ledger,
    Refund,
    house_account,
)
from services.accounts.domain.refusals import Obstacle
from services.accounts.domain.transfers import Book, Booking, Convert, Fund, Reverse
from services.accounts.handlers import handlers
from services.accounts.settings import AccountsSettings

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LIFETIME = timedelta(days=30)
HANDLERS = handlers(AccountsSettings(database_url="postgresql://nowhere", hold_seconds=int(LIFETIME.total_seconds())))

ANN, BEN, CLEO = ids.named("ann"), ids.named("ben"), ids.named("cleo")
ANNS, BENS = account_id_of(ANN, "EUR"), account_id_of(BEN, "EUR")
BENS_DOLLARS = account_id_of(BEN, "USD")
NOBODYS = ids.named("nobody's account")
EXTERNAL = house_account_id(AccountKind.EXTERNAL, "EUR")
BLOCKED_FUNDS = house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")
FEES = house_account_id(AccountKind.FEES, "EUR")
SUSPENSE = house_account_id(AccountKind.SUSPENSE, "EUR")

Changes = Mapping[str, Mapping[str, Any]]
"""Other fields for accounts."""

CLOSED, FROZEN = {"status": AccountStatus.CLOSED}, {"status": AccountStatus.FROZEN}
OPEN = {"status": AccountStatus.OPEN}
DEBITS_FROZEN = {"status": AccountStatus.DEBITS_FROZEN}
EMPTY, FULL = {"posted_minor": 0}, {"ceiling_minor": 0}
POOR = EMPTY | {"tier": 0}
SPENT_MONTH = EMPTY | {"tier": 1, "spent_on": START.date(), "spent_month_minor": 10_000_00}
SPENT_DAY = SPENT_MONTH | {"spent_day_minor": 2_500_00}

# What is in the way of 30.00 from one account to another. Each row breaks what it names and everything after it.
OBSTACLES: list[tuple[Obstacle, str, str, str, Changes]] = [
    (Obstacle.DEBTOR_ACCOUNT_UNKNOWN, NOBODYS, NOBODYS, "USD", {}),
    (Obstacle.DEBTOR_ACCOUNT_UNKNOWN, EXTERNAL, BENS, "EUR", {}),
    (Obstacle.DEBTOR_ACCOUNT_UNKNOWN, BLOCKED_FUNDS, BENS, "EUR", {}),
    (Obstacle.CREDITOR_ACCOUNT_UNKNOWN, ANNS, NOBODYS, "USD", {ANNS: CLOSED | POOR}),
    (Obstacle.CREDITOR_ACCOUNT_UNKNOWN, ANNS, FEES, "EUR", {}),
    (Obstacle.CREDITOR_ACCOUNT_UNKNOWN, ANNS, BLOCKED_FUNDS, "EUR", {}),
    (Obstacle.DEBTOR_ACCOUNT_CLOSED, ANNS, BENS, "USD", {ANNS: CLOSED | POOR, BENS: CLOSED | FULL}),
    (Obstacle.DEBTOR_ACCOUNT_FROZEN, ANNS, BENS, "USD", {ANNS: FROZEN | POOR, BENS: CLOSED | FULL}),
    (Obstacle.DEBTOR_ACCOUNT_FROZEN, ANNS, BENS, "USD", {ANNS: DEBITS_FROZEN | POOR, BENS: CLOSED | FULL}),
    (Obstacle.CREDITOR_ACCOUNT_CLOSED, ANNS, BENS, "USD", {ANNS: POOR, BENS: CLOSED | FULL}),
    (Obstacle.CREDITOR_ACCOUNT_FROZEN, ANNS, BENS, "USD", {ANNS: POOR, BENS: FROZEN | FULL}),
    (Obstacle.CURRENCY_NOT_HELD, ANNS, BENS, "USD", {ANNS: POOR, BENS: FULL}),
    (Obstacle.CURRENCY_NOT_HELD, ANNS, BENS_DOLLARS, "EUR", {ANNS: POOR, BENS_DOLLARS: FULL}),
    (Obstacle.LIMIT_EXCEEDED, ANNS, BENS, "EUR", {ANNS: SPENT_DAY | POOR, BENS: FULL}),
    (Obstacle.DAILY_LIMIT_EXCEEDED, ANNS, BENS, "EUR", {ANNS: SPENT_DAY, BENS: FULL}),
    (Obstacle.MONTHLY_LIMIT_EXCEEDED, ANNS, BENS, "EUR", {ANNS: SPENT_MONTH, BENS: FULL}),
    (Obstacle.INSUFFICIENT_FUNDS, ANNS, BENS, "EUR", {ANNS: {"posted_minor": 29_99}, BENS: FULL}),
    (Obstacle.INSUFFICIENT_FUNDS, ANNS, BENS, "EUR", {ANNS: {"held_minor": 70_01}, BENS: FULL}),
    (Obstacle.INSUFFICIENT_FUNDS, ANNS, BENS, "EUR", {ANNS: {"floor_minor": 70_01}, BENS: FULL}),
    (Obstacle.CEILING_EXCEEDED, ANNS, BENS, "EUR", {BENS: {"ceiling_minor": 29_99}}),
    (Obstacle.CEILING_EXCEEDED, ANNS, BENS, "EUR", {BENS: {"posted_minor": BALANCE_MINOR_MAX - 29_99}}),
]

BLAMED = {
    **dict.fromkeys(("debtor_account_unknown", "debtor_account_closed", "debtor_account_frozen"), "debit_account_id"),
    **dict.fromkeys(
        ("creditor_account_unknown", "creditor_account_closed", "creditor_account_frozen", "ceiling_exceeded"),
        "credit_account_id",
    ),
    "currency_not_held": "currency",
}
"""The field that is to blame, if it is not the amount."""


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
    """What accounts keeps. Ann has 100.00, Ben nothing, and Cleo not even an account."""

    def __init__(self, *, changes: Changes | None = None, without: Iterable[str] = ()) -> None:
        """`changes` are other fields for accounts; `without` are accounts that don't exist."""
        known = [
            *(
                house_account(id_, house.kind, house.currency)
                for id_, house in house_accounts().items()
                if house.currency in ("EUR", "USD")
            ),
            *(account(ANNS, ANN), account(BENS, BEN), account(BENS_DOLLARS, BEN, "USD")),
        ]
        self.customers = {id_: customer(id_) for id_ in (ANN, BEN, CLEO)}
        self.accounts = {a.account_id: a for a in known if a.account_id not in set(without)}
        self.holds: dict[str, Hold] = {}
        self.refunds: dict[str, Refund] = {}
        self.transfers: list[Transfer] = []
        self.entries: list[Entry] = []
        self.parked: frozenset[str] = frozenset()
        """Accounts about whose payments messages wait."""
        self.now = START
        self.events: list[Event] = []
        """What the last batch led to."""
        self._heard = 0
        if ANNS in self.accounts:
            self.hears(fund(ANNS, 100_00))
        self.set(changes or {})

    def set(self, changes: Changes) -> None:
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
            transfers={transfer.transfer_id: transfer for transfer in self.transfers},
            hold_lifetime=LIFETIME,
            parked_account_ids=self.parked,
            recorded_at=self.now,
        )
        self.events = []
        decided = decide_all(HANDLERS, ledger, [self._message(body) for body in bodies], self._encode)
        self.customers = {c.customer_id: c for c in ledger.customers.values()}
        self.accounts = {a.account_id: a for a in ledger.accounts.values()}
        self.holds = {h.hold_id: h for h in ledger.holds.values()}
        self.refunds = {r.refund_id: r for r in ledger.refunds.values()}
        self.transfers += ledger.transfers.inserted
        self.entries += ledger.entries
        return decided

    @property
    def kept(self) -> tuple[Any, ...]:
        """All there is in the books, to be compared."""
        journal = tuple(self.transfers), tuple(self.entries)
        return self.customers, self.accounts, self.holds, self.refunds, *journal

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


def booking(
    number: int = 1,
    amount_minor: int = 30_00,
    *,
    debit: str = ANNS,
    credit: str = BENS,
    currency: str = "EUR",
    **about: Any,
) -> Booking:
    return Booking(
        transfer_id=ids.named("booking", str(number)),
        debit_account_id=debit,
        credit_account_id=credit,
        amount_minor=amount_minor,
        currency=currency,
        **about,
    )


def book(*bookings: Booking, by_staff: bool = False) -> Book:
    return Book(bookings=bookings or (booking(),), is_linked=len(bookings) > 1, by_staff=by_staff)


def convert(
    amount_minor: int = 30_00,
    rate: str = "1.0843",
    *,
    debit: str = ANNS,
    credit: str = BENS_DOLLARS,
    currency: str = "EUR",
    credited_currency: str = "USD",
    number: int = 1,
) -> Convert:
    return Convert(
        transfer_id=ids.named("conversion", str(number)),
        debit_account_id=debit,
        credit_account_id=credit,
        amount_minor=amount_minor,
        currency=currency,
        credited_currency=credited_currency,
        rate=Decimal(rate),
    )


def reverse(transfer_id: str = booking().transfer_id, *, by_staff: bool = True) -> Reverse:
    return Reverse(transfer_id=transfer_id, reference="a mistake", by_staff=by_staff)


class Reserve:
    """Money that Ann has set aside for Ben by request."""

    def __init__(
        self,
        number: int = 1,
        amount_minor: int = 30_00,
        *,
        debit: str = ANNS,
        credit: str = BENS,
        currency: str = "EUR",
        expires_at: datetime | None = None,
    ) -> None:
        self.hold_id = ids.named("hold", str(number))
        self.placed = PlaceHold(
            hold_id=self.hold_id,
            debit_account_id=debit,
            credit_account_id=credit,
            amount_minor=amount_minor,
            currency=currency,
            expires_at=expires_at,
        )

    def posted(
        self,
        amount_minor: int | None = None,
        *,
        part: int = 1,
        currency: str | None = None,
        is_final: bool = False,
    ) -> PostHold:
        return PostHold(
            hold_id=self.hold_id,
            transfer_id=ids.derive(self.hold_id, "part", part),
            amount_minor=amount_minor,
            currency=currency,
            is_final=is_final,
        )

    @property
    def voided(self) -> VoidHold:
        return VoidHold(hold_id=self.hold_id)

    @property
    def expired(self) -> ExpireHold:
        return ExpireHold(hold_id=self.hold_id)


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
        fee_minor: int = 0,
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
            fee_minor=fee_minor,
            channel=Channel.API,
            instructed_at=START,
            personal=PaymentPersonalData(debtor=Party(name="Ann"), creditor=Party(name="Ben")),
        )

    @property
    def initiated(self) -> PaymentInitiated:
        return PaymentInitiated(payment_id=self.payment_id, order=self.order, initiated_at=START)

    @property
    def approved(self) -> PaymentApproved:
        return self.approved_of(self.order.amount_minor, self.order.fee_minor)

    def approved_of(self, amount_minor: int, fee_minor: int = 0) -> PaymentApproved:
        money = self._money | {"amount_minor": amount_minor, "fee_minor": fee_minor}
        return PaymentApproved(**money, approved_at=START)

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

    def overdue(self, *awaited: Answer, approved: tuple[int, int] | None = None) -> PaymentAnswerOverdue:
        """`approved` are the amount and the fee, if there is an approval."""
        amount_minor, fee_minor = approved or (None, None)
        return PaymentAnswerOverdue(
            payment_id=self.payment_id,
            order=self.order,
            awaited=awaited,
            approved_amount_minor=amount_minor,
            approved_fee_minor=fee_minor,
            approved_at=None if approved is None else START,
            overdue_at=START,
        )

    def refund(self, amount_minor: int, number: int = 1) -> RefundRequested:
        return RefundRequested(**self._refund(amount_minor, number), requested_at=START)

    def refund_overdue(self, amount_minor: int, number: int = 1) -> RefundAnswerOverdue:
        return RefundAnswerOverdue(**self._refund(amount_minor, number), overdue_at=START)

    def _refund(self, amount_minor: int, number: int) -> dict[str, Any]:
        return self._money | {
            "refund_id": ids.derive(self.payment_id, "refund", number),
            "amount_minor": amount_minor,
        }

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
