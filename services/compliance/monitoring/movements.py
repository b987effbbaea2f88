"""A movement: a payment that was settled, as monitoring sees it, and the two parties whose money it was."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from libs.common.money import SCALES
from libs.common.record import Record
from libs.common.rough import dollar_cents
from schemas.accounts.events import CustomerKind
from schemas.payments.events import PaymentSettled
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.outsiders import NOBODY, Outsider, Outsiders

ZEROS_MAX = 15

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Profile(Record):
    """What is known of a party, as far as monitoring asks."""

    customer_id: str
    kind: CustomerKind | None = None
    """None if compliance doesn't know the customer."""
    subject: Subject | None = None
    """Who it is by name. None if that came encrypted, or nobody is known."""
    registered_at: datetime | None = None
    elsewhere: Outsider | None = None
    """Set for who is no customer."""

    @property
    def countries(self) -> tuple[str, ...]:
        if self.elsewhere is not None:
            return self.elsewhere.countries
        return () if self.subject is None or self.subject.country is None else (self.subject.country,)


class Movement(Record):
    """Money that went from one party to another, of whom one at least is our customer."""

    payment_id: str
    debtor_customer_id: str
    """Who paid: a customer, or the pseudonym of somebody elsewhere."""
    creditor_customer_id: str
    amount_minor: int
    currency: str
    cents: int
    """The amount in cents of a dollar, rough where it was no dollars."""
    is_cash: bool
    at_micros: int
    """When the payer ordered it, in microseconds since 1970; never later than when it was settled."""
    outsiders: Outsiders = NOBODY

    @property
    def customer_ids(self) -> tuple[str, ...]:
        """Whose histories it is part of."""
        return _ours((self.debtor_customer_id, self.creditor_customer_id), self.outsiders)

    def profile_of_other(self, *, is_out: bool, known: Mapping[str, Profile]) -> Profile:
        """Who the other side is, for the one who paid if it is out, and else for the one who was paid."""
        party_id = self.creditor_customer_id if is_out else self.debtor_customer_id
        outsider = self.outsiders.creditor if is_out else self.outsiders.debtor
        return known.get(party_id) or Profile(customer_id=party_id, elsewhere=outsider)


def parties_of(event: PaymentSettled, outsiders: Outsiders) -> tuple[str, str] | None:
    """Between whom money went. None if it was own money, of no customer of ours, or if the event names no customers."""
    if outsiders.debtor is not None and outsiders.creditor is not None:
        return None
    debtor = outsiders.debtor.party_id if outsiders.debtor is not None else event.debtor_customer_id
    creditor = outsiders.creditor.party_id if outsiders.creditor is not None else event.creditor_customer_id
    return (debtor, creditor) if debtor and creditor and debtor != creditor else None


def customers_of(event: PaymentSettled, outsiders: Outsiders) -> tuple[str, ...]:
    """Whose histories what moved is part of."""
    parties = parties_of(event, outsiders)
    return () if parties is None else _ours(parties, outsiders)


def movement_of(event: PaymentSettled, outsiders: Outsiders = NOBODY) -> Movement | None:
    """What moved, or None if it is not watched. `outsiders`: who of its parties is elsewhere.

    The time is when it was ordered, and not when it was settled: what people review is released in clumps, and that
    says nothing about those who pay. An order that claims to be of the future is of when it was settled.
    """
    parties = parties_of(event, outsiders)
    if parties is None:
        return None
    at = min(event.instructed_at or event.settled_at, event.settled_at)
    return Movement(
        payment_id=event.payment_id,
        debtor_customer_id=parties[0],
        creditor_customer_id=parties[1],
        amount_minor=event.amount_minor,
        currency=event.currency,
        cents=dollar_cents(event.amount_minor, event.currency),
        is_cash=event.is_cash,
        at_micros=micros_of(at),
        outsiders=outsiders,
    )


def _ours(parties: tuple[str, str], outsiders: Outsiders) -> tuple[str, ...]:
    sides = zip(parties, (outsiders.debtor, outsiders.creditor), strict=True)
    return tuple(party_id for party_id, outsider in sides if outsider is None)


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
