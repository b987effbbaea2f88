"""A movement: money that has gone from one party to another, as monitoring sees it, by whatever event that was told."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from libs.common.money import SCALES
from libs.common.record import Record
from libs.common.rough import dollar_cents
from schemas.accounts.events import CustomerKind, PostedTransfer, TransfersPosted
from schemas.payments.events import PaymentSettled, RefundSettled
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
    """The payment; the transfer, if it was no payment."""
    debtor_customer_id: str
    """Who paid: a customer, or the pseudonym of somebody elsewhere."""
    creditor_customer_id: str
    amount_minor: int
    currency: str
    cents: int
    """The amount in cents of a dollar, rough where it was no dollars."""
    is_cash: bool
    at_micros: int
    """When a payment was ordered, and anything else moved, in microseconds since 1970."""
    outsiders: Outsiders = NOBODY

    @property
    def customer_ids(self) -> tuple[str, ...]:
        """Whose histories it is part of."""
        sides = (
            (self.debtor_customer_id, self.outsiders.debtor),
            (self.creditor_customer_id, self.outsiders.creditor),
        )
        return tuple(party_id for party_id, outsider in sides if outsider is None)

    def profile_of_other(self, *, is_out: bool, known: Mapping[str, Profile]) -> Profile:
        """Who the other side is, for the one who paid if it is out, and else for the one who was paid."""
        party_id = self.creditor_customer_id if is_out else self.debtor_customer_id
        outsider = self.outsiders.creditor if is_out else self.outsiders.debtor
        return known.get(party_id) or Profile(customer_id=party_id, elsewhere=outsider)


Moved = PaymentSettled | RefundSettled | TransfersPosted
"""What tells that money has moved."""


def movements_of(event: Moved, outsiders: Outsiders = NOBODY) -> Sequence[Movement]:
    """What moved between parties; nothing if it was own money, or of no customer of ours, or if none is named.

    `outsiders`: who of the payment's parties is elsewhere.
    """
    match event:
        case PaymentSettled():
            return _settled(event, outsiders)
        case RefundSettled():
            return _given_back(event, outsiders)
        case TransfersPosted():
            return _transferred(event)


def _settled(event: PaymentSettled, outsiders: Outsiders) -> Sequence[Movement]:
    """The time is when it was ordered, and not when it was settled: what people review is released in clumps, and that
    says nothing about those who pay. An order that claims to be of the future is of when it was settled.
    """
    return _moved(
        event.payment_id,
        (event.debtor_customer_id, event.creditor_customer_id),
        outsiders,
        event.amount_minor,
        event.currency,
        min(event.instructed_at or event.settled_at, event.settled_at),
        is_cash=event.is_cash,
    )


def _given_back(event: RefundSettled, outsiders: Outsiders) -> Sequence[Movement]:
    """A refund goes from whoever was paid to whoever had paid."""
    return _moved(
        event.transfer_id,
        (event.creditor_customer_id, event.debtor_customer_id),
        Outsiders(debtor=outsiders.creditor, creditor=outsiders.debtor),
        event.amount_minor,
        event.currency,
        event.settled_at,
    )


def _transferred(event: TransfersPosted) -> Sequence[Movement]:
    """Transfers between customers, and what one has changed into another's currency by way of the house.

    The time is when they were entered in the books: when they count is the client's to say. Of those that are linked
    each comes a microsecond after the one before: the books have them in this order.
    """
    legs = event.transfers
    payer, payee = legs[0].debit_customer_id, legs[-1].credit_customer_id
    by_house = len(legs) == 2 and legs[0].credit_customer_id is None and legs[1].debit_customer_id is None
    if by_house and legs[0].currency != legs[1].currency and payer and payee:
        # A conversion, or one that is taken back: two legs, and one movement of what was given away. Between customers
        # themselves legs in two currencies are two movements.
        return _posted(legs[0], payer, payee)
    return [
        movement
        for number, leg in enumerate(legs)
        for movement in _posted(leg, leg.debit_customer_id, leg.credit_customer_id, after=number * _MICROSECOND)
    ]


def _posted(
    leg: PostedTransfer, payer: str | None, payee: str | None, *, after: timedelta = timedelta(0)
) -> Sequence[Movement]:
    at = leg.recorded_at + after
    return _moved(leg.transfer_id, (payer or "", payee or ""), NOBODY, leg.amount_minor, leg.currency, at)


def _moved(
    movement_id: str,
    customers: tuple[str, str],
    outsiders: Outsiders,
    amount_minor: int,
    currency: str,
    at: datetime,
    *,
    is_cash: bool = False,
) -> Sequence[Movement]:
    if outsiders.debtor is not None and outsiders.creditor is not None:
        return ()
    debtor = outsiders.debtor.party_id if outsiders.debtor is not None else customers[0]
    creditor = outsiders.creditor.party_id if outsiders.creditor is not None else customers[1]
    if not debtor or not creditor or debtor == creditor:
        return ()
    movement = Movement(
        payment_id=movement_id,
        debtor_customer_id=debtor,
        creditor_customer_id=creditor,
        amount_minor=amount_minor,
        currency=currency,
        cents=dollar_cents(amount_minor, currency),
        is_cash=is_cash,
        at_micros=micros_of(at),
        outsiders=outsiders,
    )
    return (movement,)


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
