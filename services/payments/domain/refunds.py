"""How the money of a settled payment is given back, whole or in parts. Pure.

    requested ─► settled | rejected

Accounts carries a refund out at most once, whatever it is asked again; payments sees to it that no more is
requested than was settled.
"""

from collections.abc import Sequence
from datetime import datetime

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.money import format_amount
from libs.common.record import replace
from schemas.accounts.events import RefundPosted, RefundRefusal, RefundRefused
from schemas.payments.events import (
    PublicReason,
    RefundAnswerOverdue,
    RefundRejected,
    RefundRequested,
    RefundSettled,
)
from services.payments.domain.deadlines import first_look, next_look
from services.payments.domain.payment import Payment, Payments
from services.payments.domain.refund import REFUNDS_MAX, REJECTED_MAX, REJECTED_MAX_FOR_STAFF, Refund, RefundState
from services.payments.domain.refusals import RefusalReason, find_own, read_amount

_PUBLIC_REASONS = {
    RefundRefusal.CREDITOR_ACCOUNT_CLOSED: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
    RefundRefusal.CREDITOR_ACCOUNT_FROZEN: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
    RefundRefusal.DEBTOR_ACCOUNT_CLOSED: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
    RefundRefusal.DEBTOR_ACCOUNT_FROZEN: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
    RefundRefusal.INSUFFICIENT_FUNDS: PublicReason.INSUFFICIENT_FUNDS,
    RefundRefusal.CEILING_EXCEEDED: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
}


class RequestRefund(Command):
    refund_id: str
    payment_id: str
    client_id: str | None
    """Whose payment it must be; None: anyone's, for staff."""
    amount: str | None = None
    """How much, a decimal text in the payment's currency; None: all that is left of what was settled."""


class RefundDeadlinePassed(Command):
    """Accounts may have left a refund unanswered for longer than it should."""

    refund_id: str
    payment_id: str
    check_at: datetime
    """The look that is due. Once it has been taken, the same tick means nothing."""


def request(payments: Payments, command: RequestRefund, at: datetime) -> Sequence[Event] | Refusal:
    """Give back money of a settled payment: in all no more than was settled, and nothing of the fee."""
    payment = find_own(payments, command.payment_id, command.client_id)
    if isinstance(payment, Refusal):
        return payment
    if payment.settled is None:
        return refusal(RefusalReason.PAYMENT_NOT_SETTLED, "payment_id")
    left_minor = payment.settled.amount_minor - payment.refunded_minor
    if not left_minor:
        return refusal(RefusalReason.PAYMENT_REFUNDED, "payment_id")
    if _has_too_many(payment, is_staff=command.client_id is None):
        return refusal(RefusalReason.TOO_MANY_REFUNDS, "payment_id")
    amount_minor = read_amount(command.amount, left_minor, payment.order.currency)
    if isinstance(amount_minor, Refusal):
        return amount_minor
    return _request(payments, payment, command.refund_id, amount_minor, at)


def _has_too_many(payment: Payment, *, is_staff: bool) -> bool:
    rejected_max = REJECTED_MAX_FOR_STAFF if is_staff else REJECTED_MAX
    is_full = payment.refund_count - payment.rejected_refund_count >= REFUNDS_MAX
    return is_full or payment.rejected_refund_count >= rejected_max


def _request(payments: Payments, payment: Payment, refund_id: str, amount_minor: int, at: datetime) -> list[Event]:
    order = payment.order
    refund = Refund(refund_id=refund_id, payment_id=payment.payment_id, amount_minor=amount_minor, requested_at=at)
    payments.refunds.put(refund_id, first_look(refund, payments.policy))
    refunded_minor = payment.refunded_minor + amount_minor
    payment = payment.saw(at, "refund requested", format_amount(amount_minor, order.currency))
    payments.put(replace(payment, refunded_minor=refunded_minor, refund_count=payment.refund_count + 1))
    return [
        RefundRequested(
            refund_id=refund_id,
            payment_id=payment.payment_id,
            debtor_account_id=order.debtor_account_id,
            creditor_account_id=order.creditor_account_id,
            amount_minor=amount_minor,
            currency=order.currency,
            requested_at=at,
        )
    ]


def settle(payments: Payments, event: RefundPosted, at: datetime) -> Sequence[Event]:
    """End: the money is back with the payer. Raises ValueError if it was told before that it isn't."""
    refund, payment = payments.refunds[event.refund_id], payments[event.payment_id]
    if refund.state is RefundState.SETTLED:
        return []
    if refund.state is RefundState.REJECTED:
        # A fault that someone must see: a dead letter.
        raise ValueError(f"money was given back for a refund that has ended as {refund.state}")
    payments.refunds.put(
        refund.refund_id,
        replace(refund, state=RefundState.SETTLED, transfer_id=event.transfer_id, ended_at=at, check_at=None),
    )
    payments.put(payment.saw(at, "refund settled", format_amount(refund.amount_minor, event.currency)))
    return [
        RefundSettled(
            refund_id=event.refund_id,
            payment_id=event.payment_id,
            debtor_account_id=event.debtor_account_id,
            creditor_account_id=event.creditor_account_id,
            debtor_customer_id=payment.order.debtor_customer_id,
            creditor_customer_id=payment.order.creditor_customer_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            transfer_id=event.transfer_id,
            settled_at=at,
        )
    ]


def reject(payments: Payments, event: RefundRefused, at: datetime) -> Sequence[Event]:
    """End: nothing was moved, so that it may be requested anew. A refusal of what has ended says nothing new."""
    refund, payment = payments.refunds[event.refund_id], payments[event.payment_id]
    if refund.state is not RefundState.REQUESTED:
        return []
    reason = _PUBLIC_REASONS.get(event.reason, PublicReason.DECLINED)
    payments.refunds.put(
        refund.refund_id, replace(refund, state=RefundState.REJECTED, reason=reason, ended_at=at, check_at=None)
    )
    payment = payment.saw(at, "refund refused because", event.reason.value, is_internal=True)
    payment = payment.saw(at, "refund rejected", reason.value)
    payments.put(
        replace(
            payment,
            refunded_minor=payment.refunded_minor - refund.amount_minor,
            rejected_refund_count=payment.rejected_refund_count + 1,
        )
    )
    return [
        RefundRejected(
            refund_id=event.refund_id,
            payment_id=event.payment_id,
            debtor_account_id=event.debtor_account_id,
            creditor_account_id=event.creditor_account_id,
            reason=reason,
            rejected_at=at,
        )
    ]


def ask_again(payments: Payments, command: RefundDeadlinePassed, at: datetime) -> Sequence[Event]:
    """Accounts has not answered: ask again, with all it takes."""
    refund = payments.refunds.get(command.refund_id)
    if refund is None or refund.check_at != command.check_at or command.check_at > at:
        return []
    payments.refunds.put(refund.refund_id, next_look(refund, at, payments.policy))
    order = payments[refund.payment_id].order
    return [
        RefundAnswerOverdue(
            refund_id=refund.refund_id,
            payment_id=refund.payment_id,
            debtor_account_id=order.debtor_account_id,
            creditor_account_id=order.creditor_account_id,
            amount_minor=refund.amount_minor,
            currency=order.currency,
            overdue_at=at,
        )
    ]
