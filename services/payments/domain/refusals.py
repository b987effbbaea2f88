"""Why a request is refused, and what requests about a payment are all asked first. Pure."""

from enum import StrEnum

from libs.common.batch import Refusal, refusal
from libs.common.money import AmountFault, parse_amount
from services.payments.domain.payment import Payment, Payments


class RefusalReason(StrEnum):
    """Why a request is refused, in order of precedence."""

    BATCH_COMPLETE = "batch_complete"
    BATCH_DIFFERS = "batch_differs"
    SAME_ACCOUNT = "same_account"
    DEBTOR_ACCOUNT_UNKNOWN = "debtor_account_unknown"
    CREDITOR_ACCOUNT_UNKNOWN = "creditor_account_unknown"
    DEBTOR_ACCOUNT_UNAVAILABLE = "debtor_account_unavailable"
    CREDITOR_ACCOUNT_UNAVAILABLE = "creditor_account_unavailable"
    CURRENCY_NOT_HELD = "currency_not_held"
    PAYMENT_QUOTA_EXCEEDED = "payment_quota_exceeded"
    AMOUNT_QUOTA_EXCEEDED = "amount_quota_exceeded"
    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_ENDED = "payment_ended"
    PAYMENT_NOT_CANCELLABLE = "payment_not_cancellable"
    PAYMENT_NOT_CAPTURABLE = "payment_not_capturable"
    PAYMENT_NOT_SETTLED = "payment_not_settled"
    PAYMENT_REFUNDED = "payment_refunded"
    NOTHING_MISSING = "nothing_missing"
    ALREADY_KNOWN = "already_known"
    TOO_MANY_REFUNDS = "too_many_refunds"
    AMOUNT_INVALID = "amount_invalid"
    AMOUNT_TOO_LARGE = "amount_too_large"


QUOTA_REASONS = (RefusalReason.PAYMENT_QUOTA_EXCEEDED, RefusalReason.AMOUNT_QUOTA_EXCEEDED)
"""Nothing is wrong with the order itself: it may be sent again another day."""


def find_own(payments: Payments, payment_id: str, client_id: str | None) -> Payment | Refusal:
    """A payment of this client's; None: of anyone's, for staff."""
    payment = payments.payments.get(payment_id)
    if payment is None or client_id not in (None, payment.order.client_id):
        return refusal(RefusalReason.PAYMENT_UNKNOWN, "payment_id")
    return payment


def read_amount(text: str | None, at_most_minor: int, currency: str) -> int | Refusal:
    """The minor units that a decimal text asks for; None asks for all there is."""
    if text is None:
        return at_most_minor
    amount_minor = parse_amount(text, currency)
    if amount_minor is AmountFault.TOO_LARGE:
        return refusal(RefusalReason.AMOUNT_TOO_LARGE, "amount")
    if isinstance(amount_minor, AmountFault):
        detail = amount_minor.replace("_", " ")
        return Refusal(reason=RefusalReason.AMOUNT_INVALID, detail=detail, field="amount")
    return amount_minor if amount_minor <= at_most_minor else refusal(RefusalReason.AMOUNT_TOO_LARGE, "amount")
