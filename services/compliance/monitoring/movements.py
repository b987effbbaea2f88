"""A movement: a payment that was settled, as monitoring sees it, and the two customers whose money it was."""

from datetime import UTC, date, datetime, timedelta

from libs.common.money import SCALES
from libs.common.record import Record
from libs.common.rough import dollar_cents
from schemas.accounts.events import CustomerKind
from schemas.payments.events import PaymentSettled
from services.compliance.matching.subject import Subject

ZEROS_MAX = 15

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Profile(Record):
    """What is known of a customer, as far as monitoring asks."""

    customer_id: str
    kind: CustomerKind | None = None
    """None if compliance doesn't know the customer."""
    subject: Subject | None = None
    """Who it is by name. None if that came encrypted, or nobody is known."""
    registered_at: datetime | None = None

    @property
    def country(self) -> str | None:
        return None if self.subject is None else self.subject.country


class Movement(Record):
    """Money that went from one customer to another."""

    payment_id: str
    debtor_customer_id: str
    creditor_customer_id: str
    amount_minor: int
    currency: str
    cents: int
    """The amount in cents of a dollar, rough where it was no dollars."""
    is_cash: bool
    at_micros: int
    """When the payer ordered it, in microseconds since 1970; never later than when it was settled."""


def is_watched(event: PaymentSettled) -> bool:
    """Whether money went from one customer to another: not own money, nor an event that names no customers."""
    debtor, creditor = event.debtor_customer_id, event.creditor_customer_id
    return bool(debtor and creditor and debtor != creditor)


def movement_of(event: PaymentSettled) -> Movement | None:
    """What moved, or None if it is not watched.

    The time is when it was ordered, and not when it was settled: what people review is released in clumps, and that
    says nothing about those who pay. An order that claims to be of the future is of when it was settled.
    """
    if not is_watched(event):
        return None
    at = min(event.instructed_at or event.settled_at, event.settled_at)
    return Movement(
        payment_id=event.payment_id,
        debtor_customer_id=event.debtor_customer_id,
        creditor_customer_id=event.creditor_customer_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        cents=dollar_cents(event.amount_minor, event.currency),
        is_cash=event.is_cash,
        at_micros=micros_of(at),
    )


def zeros_of(amount_minor: int, currency: str) -> int:
    """How many zeros a whole amount ends in, in its own currency: 3 for 5,000; 0 for 5,000.50."""
    digits = str(amount_minor)
    zeros = len(digits) - len(digits.rstrip("0"))
    return max(0, min(zeros - SCALES.get(currency, 2), ZEROS_MAX))


def micros_of(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def moment_of(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def date_of_day(day: int) -> date:
    """The date of a day that is counted since 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).date()
