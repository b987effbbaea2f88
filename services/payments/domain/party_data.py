"""What the law asks to be known about the parties of a payment, told after it was ordered. Pure.

    PaymentInitiated ─► compliance: incomplete ─► suspended ─► SupplyData ─► PaymentDataSupplied ─► compliance: clear
                                                                                                          └─► goes on
Which data that is, is compliance's to say; payments takes them into the order and asks again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import Record, replace
from schemas.payments.events import EncryptedPersonalData, Party, PartyKind, PaymentDataSupplied, PaymentPersonalData
from services.payments.domain.payment import Payment, Payments
from services.payments.domain.refusals import RefusalReason, find_own

SIDES = ("debtor", "creditor")


class Told(Record):
    """What is told about one party; None: nothing."""

    country: str | None = None
    birth_date: str | None = None
    address: str | None = None
    kind: PartyKind | None = None
    account_number: str | None = None
    birth_place: str | None = None
    document_number: str | None = None
    customer_number: str | None = None


class SupplyData(Command):
    """More about the parties of a payment: what is None is not told."""

    payment_id: str
    client_id: str | None
    """Whose payment it must be; None: anyone's, for staff."""
    debtor: Told
    creditor: Told


def supply(payments: Payments, command: SupplyData, at: datetime) -> Sequence[Event] | Refusal:
    """Take what a client tells into the order, and ask compliance again. What it had told before stands."""
    payment = find_own(payments, command.payment_id, command.client_id)
    if isinstance(payment, Refusal):
        return payment
    if payment.has_ended:
        return refusal(RefusalReason.PAYMENT_ENDED, "payment_id")
    known = payments.keys.unseal(PaymentPersonalData, payment.order.personal, about=payment.payment_id)
    if not payment.missing_data or isinstance(known, EncryptedPersonalData):
        return refusal(RefusalReason.NOTHING_MISSING, "payment_id")
    told = {"debtor": command.debtor, "creditor": command.creditor}
    for side in SIDES:
        contradicted = _contradicted(getattr(known, side), told[side])
        if contradicted is not None:
            return refusal(RefusalReason.ALREADY_KNOWN, f"{side}.{contradicted}")
    personal = replace(
        known, debtor=_completed(known.debtor, command.debtor), creditor=_completed(known.creditor, command.creditor)
    )
    if personal == known:
        return []
    owners = (payment.order.debtor_customer_id, payment.order.creditor_customer_id)
    sealed = payments.keys.seal(EncryptedPersonalData, personal, owners=owners, about=payment.payment_id)
    order = replace(payment.order, personal=sealed)
    payments.put(replace(payment.saw(at, "data supplied"), order=order, told=_told(payment, told)))
    return [PaymentDataSupplied(payment_id=payment.payment_id, order=order, supplied_at=at)]


def still_missing(payment: Payment) -> tuple[str, ...]:
    """What its client is still to tell, as `debtor.address`. What it has told meanwhile is not asked for again, though
    compliance may not have answered yet, and though nothing may depend on it any more."""
    if payment.has_ended:
        return ()
    return tuple(field for field in payment.missing_data if _can_be_told(field) and field not in payment.told)


def _can_be_told(field: str) -> bool:
    """Whether it is the client's to tell: that somebody holds a wallet is shown to people of the house."""
    return field.partition(".")[2] in Told.__struct_fields__


def _told(payment: Payment, told: Mapping[str, Told]) -> tuple[str, ...]:
    fields = (f"{side}.{name}" for side in SIDES for name in _values(told[side]))
    return tuple(dict.fromkeys((*payment.told, *fields)))


def _values(told: Told) -> dict[str, str]:
    found = {name: getattr(told, name) for name in told.__struct_fields__}
    return {name: value for name, value in found.items() if value is not None}


def _contradicted(party: Party, told: Told) -> str | None:
    """The first field that was told before, and otherwise."""
    for name, value in _values(told).items():
        known = getattr(party, name)
        is_refined = name == "birth_date" and value.startswith(str(known))
        if known not in (None, PartyKind.UNKNOWN, value) and not is_refined:
            return name
    return None


def _completed(party: Party, told: Told) -> Party:
    return replace(party, **_values(told))
