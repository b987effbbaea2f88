"""How a client takes the money of a payment that it has had authorised. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.money import format_amount
from libs.common.record import replace
from services.payments.domain import journey
from services.payments.domain.fees import fee_of
from services.payments.domain.payment import Charge, Payment, Payments, PaymentState
from services.payments.domain.refusals import RefusalReason, find_own, read_amount


class CapturePayment(Command):
    payment_id: str
    client_id: str | None
    """Whose payment it must be; None: anyone's, for staff."""
    amount: str | None = None
    """How much of it, a decimal text in its currency; None: all."""


def capture(payments: Payments, command: CapturePayment, at: datetime) -> Sequence[Event] | Refusal:
    """Take all or part of what was authorised, once: now, or when those who look at the payment meanwhile agree.

    What is not taken goes back to the payer with the posting. The client gets the same answer whoever looks at it.
    """
    payment = find_own(payments, command.payment_id, command.client_id)
    if isinstance(payment, Refusal):
        return payment
    if payment.has_ended:
        return refusal(RefusalReason.PAYMENT_ENDED, "payment_id")
    if not payment.awaits_capture(at):
        return refusal(RefusalReason.PAYMENT_NOT_CAPTURABLE, "payment_id")
    amount_minor = read_amount(command.amount, payment.order.amount_minor, payment.order.currency)
    if isinstance(amount_minor, Refusal):
        return amount_minor
    payment = _captured(payment, _charge(payments, payment, amount_minor), at)
    if payment.state is PaymentState.AUTHORISED:
        return journey.approve(payments, payment, at)
    payments.put(payment)
    return []


def _charge(payments: Payments, payment: Payment, amount_minor: int) -> Charge:
    order = payment.order
    # Fees may have been raised since: more than is held for it can't be taken.
    fee_minor = min(fee_of(payments.fees, amount_minor, order.currency), order.fee_minor)
    return Charge(amount_minor=amount_minor, fee_minor=fee_minor)


def _captured(payment: Payment, charge: Charge, at: datetime) -> Payment:
    amount, fee = (format_amount(minor, payment.order.currency) for minor in (charge.amount_minor, charge.fee_minor))
    detail = f"{amount}, fee {fee}" if charge.fee_minor else amount
    return replace(payment.saw(at, "captured", detail), captured=charge)
