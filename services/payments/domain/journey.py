"""What happens to a payment now: the process manager, as one pure function of what is known.

Fails closed: nothing is approved without all three answers, nothing is given back while it may
belong to a listed party, and whatever a person has taken in hand waits for that person.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from libs.common.events import Event
from libs.common.record import replace
from schemas.accounts.events import DeclineReason
from schemas.compliance.events import CaseDecision, ScreeningOutcome
from schemas.fraud.events import FraudOutcome
from schemas.payments.events import (
    Answer,
    InternalReason,
    PaymentApproved,
    PaymentAuthorised,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentRefusalExplained,
    PaymentRejected,
    PaymentResumed,
    PaymentSuspended,
    PublicReason,
)
from services.payments.domain.deadlines import enter
from services.payments.domain.payment import Capture, Payment, Payments, PaymentState

_PUBLIC_DECLINE_REASONS = {
    DeclineReason.PAYMENT_ENDED: PublicReason.NOT_COMPLETED_IN_TIME,
    DeclineReason.DEBTOR_ACCOUNT_UNKNOWN: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.DEBTOR_ACCOUNT_CLOSED: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.DEBTOR_ACCOUNT_FROZEN: PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.CREDITOR_ACCOUNT_UNKNOWN: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.CREDITOR_ACCOUNT_CLOSED: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.CREDITOR_ACCOUNT_FROZEN: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
    DeclineReason.CURRENCY_NOT_HELD: PublicReason.CURRENCY_NOT_HELD,
    DeclineReason.LIMIT_EXCEEDED: PublicReason.LIMIT_EXCEEDED,
    DeclineReason.DAILY_LIMIT_EXCEEDED: PublicReason.LIMIT_EXCEEDED,
    DeclineReason.MONTHLY_LIMIT_EXCEEDED: PublicReason.LIMIT_EXCEEDED,
    DeclineReason.INSUFFICIENT_FUNDS: PublicReason.INSUFFICIENT_FUNDS,
    DeclineReason.CEILING_EXCEEDED: PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE,
}

_OF_ITSELF = frozenset({InternalReason.ANSWER_MISSING, InternalReason.PARTY_DATA_MISSING})
"""What a payment may wait for without a person: it goes on when that comes."""
_NOBODY_LISTED = frozenset({ScreeningOutcome.CLEAR, ScreeningOutcome.INCOMPLETE})


def advance(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Take in what has just become known about a payment, and go on as far as that allows."""
    if payment.state is PaymentState.INITIATED:
        return _decide(payments, payment, at)
    if payment.state is PaymentState.SUSPENDED:
        return _reconsider(payments, payment, at)
    if payment.state is PaymentState.AUTHORISED:
        return _doubt(payments, payment, at)
    payments.put(payment)
    return []


def missing_answers(payment: Payment) -> list[Answer]:
    """The questions nobody has answered yet."""
    answers = {Answer.FRAUD: payment.assessment, Answer.COMPLIANCE: payment.screening, Answer.HOLD: payment.funds}
    return [question for question, answer in answers.items() if answer is None]


class _Verdict(StrEnum):
    """What the answers say without a person, in order of precedence."""

    NO_FUNDS = "no_funds"
    BLOCK = "block"
    CANCEL = "cancel"
    WAIT = "wait"
    FRAUD = "fraud"
    REVIEW = "review"
    APPROVE = "approve"


def _verdict(payment: Payment) -> _Verdict:
    if payment.is_unfunded:
        return _Verdict.NO_FUNDS
    if payment.is_listed and payment.is_funded:
        # Nothing that is still to come can set listed money free.
        return _Verdict.BLOCK
    if payment.is_cancel_requested and may_be_given_back(payment):
        return _Verdict.CANCEL
    if payment.assessment is None or payment.screening is None or payment.funds is None:
        return _Verdict.WAIT
    if payment.assessment.outcome is FraudOutcome.BLOCK and _is_clear(payment):
        return _Verdict.FRAUD
    if suspension_reasons(payment):
        return _Verdict.REVIEW
    return _Verdict.APPROVE


def _decide(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    match _verdict(payment):
        case _Verdict.NO_FUNDS:
            return _reject_unfunded(payments, payment, at)
        case _Verdict.BLOCK:
            return block(payments, payment, InternalReason.COMPLIANCE_BLOCK, at)
        case _Verdict.CANCEL:
            return cancel(payments, payment, at)
        case _Verdict.WAIT:
            payments.put(payment)
            return []
        case _Verdict.FRAUD:
            return reject(payments, payment, PublicReason.DECLINED, InternalReason.FRAUD_BLOCK, at)
        case _Verdict.REVIEW:
            return suspend(payments, payment, suspension_reasons(payment), at)
        case _Verdict.APPROVE:
            return approve(payments, payment, at)


def _reconsider(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Something became known about a suspended payment."""
    if payment.resolution is not None:
        return _resolve_late(payments, payment, payment.resolution, at)
    verdict, waits_for_answers_only = _verdict(payment), _OF_ITSELF.issuperset(payment.reasons)
    if payment.was_approved and (payment.is_case_taken or verdict not in (_Verdict.BLOCK, _Verdict.CANCEL)):
        return show(payments, payment, at)
    # Should a later screening find nothing any more, people were asked nevertheless, and answer.
    reasons = suspension_reasons(payment) or payment.reasons
    if payment.is_case_taken:
        return show(payments, _with_reasons(payment, reasons, at), at)
    if verdict is _Verdict.APPROVE and not waits_for_answers_only:
        return show(payments, payment, at)
    if verdict not in (_Verdict.WAIT, _Verdict.REVIEW):
        return _resume(payments, payment, at)
    if reasons == payment.reasons:
        return show(payments, payment, at)
    return suspend(payments, payment, reasons, at)


def _doubt(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """An authorised payment was screened again: nothing is captured of it before people have seen what was found."""
    if payment.is_listed:
        return block(payments, payment, InternalReason.COMPLIANCE_BLOCK, at)
    if _is_clear(payment) and not payment.missing_data:
        payments.put(payment)
        return []
    undecided = replace(payment, resolution=None, is_case_taken=False)
    return suspend(payments, undecided, suspension_reasons(payment), at)


def _resume(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Go on without a person: nobody has taken the case, and what is known decides."""
    told_at = _next_telling(payment, at)
    resumed = PaymentResumed(
        payment_id=payment.payment_id, debtor_account_id=payment.order.debtor_account_id, resumed_at=told_at
    )
    payment = enter(payment.saw(at, "resumed", is_internal=True), PaymentState.INITIATED, at, payments.policy)
    return [resumed, *_decide(payments, replace(payment, reasons=(), told_at=told_at), at)]


def resolve(payments: Payments, payment: Payment, decision: CaseDecision, at: datetime) -> list[Event]:
    """Do what two people have decided, once everything is known that it takes."""
    payment = replace(payment, resolution=decision)
    if payment.is_unfunded:
        return _reject_unfunded(payments, payment, at)
    if _still_takes(payment, decision):
        payments.put(payment)
        return []
    if payment.is_listed or decision is CaseDecision.BLOCK:
        is_theirs = decision is CaseDecision.BLOCK
        reason = InternalReason.REVIEWER_BLOCKED if is_theirs else InternalReason.COMPLIANCE_BLOCK
        return block(payments, payment, reason, at)
    if decision is CaseDecision.APPROVE:
        return (cancel if payment.is_cancel_requested else approve)(payments, payment, at)
    # Once a client has seen it approved, a refusal in that word could only be a reviewer's.
    public_reason = PublicReason.NOT_COMPLETED_IN_TIME if payment.was_approved else PublicReason.DECLINED
    return reject(payments, payment, public_reason, InternalReason.REVIEWER_REJECTED, at)


def _still_takes(payment: Payment, decision: CaseDecision) -> set[Answer]:
    """The answers without which a decision can't be carried out yet."""
    if payment.is_listed or decision is CaseDecision.BLOCK:
        needed = {Answer.HOLD}
    elif decision is CaseDecision.APPROVE:
        needed = {Answer.FRAUD, Answer.COMPLIANCE, Answer.HOLD}
    else:
        needed = {Answer.COMPLIANCE}
    # An answer that data are missing is none to approve on: compliance answers again once they are there.
    incomplete = {Answer.COMPLIANCE} if payment.missing_data and decision is CaseDecision.APPROVE else set()
    return needed & {*missing_answers(payment), *incomplete}


def _resolve_late(payments: Payments, payment: Payment, decision: CaseDecision, at: datetime) -> list[Event]:
    """An answer came after people had decided: if it says what they could not know, they are asked again."""
    is_new = not set(review_reasons(payment)) <= set(payment.reasons)
    if decision is CaseDecision.APPROVE and is_new and not payment.is_listed:
        return ask_again(payments, payment, at)
    return resolve(payments, payment, decision, at)


def ask_again(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Suspend the payment anew: people approved it, and could not know what is known now."""
    undecided = replace(payment, resolution=None, is_case_taken=False)
    anew = enter(undecided, PaymentState.SUSPENDED, at, payments.policy)
    # Should a later screening find nothing any more, people are asked for the reasons that they were given before.
    known = () if payment.was_approved else suspension_reasons(payment)
    return suspend(payments, anew, known or payment.reasons, at)


def approve(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Let accounts move the money, or first its client say how much of it. Impossible without all three answers, and
    without what the law asks to be known about its parties."""
    assert not missing_answers(payment) and not payment.missing_data and payment.is_funded
    if payment.capture is Capture.MANUAL and payment.captured is None:
        return _authorise(payments, payment, at)
    order, charge = payment.order, payment.charge
    # A client who saw it approved twice, or long after it was captured, would know that something came between.
    is_known = payment.captured is not None or any(step.what == "approved" for step in payment.steps)
    payment = payment.saw(at, "approved", is_internal=is_known)
    payments.put(enter(payment, PaymentState.APPROVED, at, payments.policy))
    return [
        PaymentApproved(
            payment_id=payment.payment_id,
            debtor_account_id=order.debtor_account_id,
            creditor_account_id=order.creditor_account_id,
            amount_minor=charge.amount_minor,
            currency=order.currency,
            fee_minor=charge.fee_minor,
            approved_at=at,
        )
    ]


def _authorise(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Wait for the client to say how much of it to take. It is told once: a second time would tell of a review."""
    if payment.capture_by is not None:
        if at >= payment.capture_by:
            return lapse(payments, payment, at)
        again = payment.saw(at, "authorised", is_internal=True)
        payments.put(enter(again, PaymentState.AUTHORISED, at, payments.policy))
        return []
    order, capture_by = payment.order, at + payments.policy.capture_within
    payment = replace(payment.saw(at, "authorised"), capture_by=capture_by)
    payments.put(enter(payment, PaymentState.AUTHORISED, at, payments.policy))
    return [
        PaymentAuthorised(
            payment_id=payment.payment_id,
            debtor_account_id=order.debtor_account_id,
            creditor_account_id=order.creditor_account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            fee_minor=order.fee_minor,
            capture_by=capture_by,
            authorised_at=at,
        )
    ]


def suspend(payments: Payments, payment: Payment, reasons: tuple[InternalReason, ...], at: datetime) -> list[Event]:
    """Hold the payment up until a person decides or the missing answers come."""
    detail = ", ".join(reasons)
    suspended = _with_reasons(payment.saw(at, "suspended", detail, is_internal=True), reasons, at)
    if payment.state is not PaymentState.SUSPENDED:
        suspended = enter(suspended, PaymentState.SUSPENDED, at, payments.policy)
    return show(payments, suspended, at)


def _with_reasons(payment: Payment, reasons: tuple[InternalReason, ...], at: datetime) -> Payment:
    is_alarming = set(reasons) - set(payment.reasons) - _OF_ITSELF
    return replace(payment, reasons=reasons, alarmed_at=at if is_alarming else payment.alarmed_at)


def show(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """Tell whoever decides what is known by now."""
    told_at = _next_telling(payment, at)
    alarmed_at = told_at if payment.alarmed_at == at else payment.alarmed_at
    payments.put(replace(payment, told_at=told_at, alarmed_at=alarmed_at))
    return [
        PaymentSuspended(
            payment_id=payment.payment_id,
            order=payment.order,
            reasons=payment.reasons,
            evidence=payment.evidence,
            decide_by=payment.entered_at + payments.policy.review_within,
            suspended_at=told_at,
        )
    ]


def _next_telling(payment: Payment, at: datetime) -> datetime:
    """Each telling has a time of its own, even within one batch.

    By it people's decisions name what they have seen, and news of the past is known when it is replayed.
    """
    return at if payment.told_at is None else max(at, payment.told_at + timedelta.resolution)


def reject(
    payments: Payments, payment: Payment, public_reason: PublicReason, reason: InternalReason, at: datetime
) -> list[Event]:
    """End: refuse the payment; accounts gives back what it holds."""
    payment = payment.saw(at, "refused because", reason.value, is_internal=True).saw(
        at, "rejected", public_reason.value
    )
    payment = enter(payment, PaymentState.REJECTED, at, payments.policy)
    payments.put(replace(payment, public_reason=public_reason, internal_reason=reason))
    return [
        PaymentRejected(
            payment_id=payment.payment_id,
            debtor_account_id=payment.order.debtor_account_id,
            reason=public_reason,
            rejected_at=at,
        ),
        _explained(payment, reason, at),
    ]


def _reject_unfunded(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    assert payment.funds is not None and payment.funds.decline_reason is not None
    # The same word whether or not anyone has reviewed it: a client must not be able to tell.
    public_reason = _PUBLIC_DECLINE_REASONS.get(payment.funds.decline_reason, PublicReason.DECLINED)
    return reject(payments, payment, public_reason, InternalReason.FUNDS_DECLINED, at)


def cancel(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """End: the client has withdrawn the payment; accounts gives back what it holds."""
    payments.put(enter(payment.saw(at, "cancelled"), PaymentState.CANCELLED, at, payments.policy))
    return [
        PaymentCancelled(
            payment_id=payment.payment_id, debtor_account_id=payment.order.debtor_account_id, cancelled_at=at
        )
    ]


def is_to_be_withdrawn(payment: Payment) -> bool:
    """Whether the sweep may carry out the withdrawal of a payment that its client has seen authorised."""
    is_asked_for = payment.is_cancel_requested and payment.capture_by is not None
    is_in_hand = payment.state is PaymentState.SUSPENDED and payment.is_case_taken
    return is_asked_for and not is_in_hand and may_be_given_back(payment)


def lapse(payments: Payments, payment: Payment, at: datetime) -> list[Event]:
    """End: its client has not captured it in time, which is to withdraw it."""
    return cancel(payments, payment.saw(at, "not captured in time"), at)


def block(payments: Payments, payment: Payment, reason: InternalReason, at: datetime) -> list[Event]:
    """Have the held money moved to blocked funds: it may neither go on nor back (31 CFR 501.603)."""
    order = payment.order
    payment = enter(
        payment.saw(at, "blocking", reason.value, is_internal=True), PaymentState.BLOCKING, at, payments.policy
    )
    payments.put(replace(payment, internal_reason=reason))
    return [
        PaymentBlockRequested(
            payment_id=payment.payment_id,
            debtor_account_id=order.debtor_account_id,
            creditor_account_id=order.creditor_account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            requested_at=at,
        ),
        _explained(payment, reason, at),
    ]


def may_be_given_back(payment: Payment) -> bool:
    """Whether the money certainly belongs to nobody listed, and nobody has decided to block it."""
    if payment.state is PaymentState.AUTHORISED:
        # Screening found nothing, or people have seen what it found and approved: else it would have left that state.
        return True
    return _is_clear(payment) and payment.resolution is not CaseDecision.BLOCK


def _is_clear(payment: Payment) -> bool:
    return payment.screening is not None and payment.screening.outcome in _NOBODY_LISTED


def suspension_reasons(payment: Payment) -> tuple[InternalReason, ...]:
    """Why a payment can't go on by itself."""
    missing = (InternalReason.ANSWER_MISSING,) if missing_answers(payment) else ()
    incomplete = (InternalReason.PARTY_DATA_MISSING,) if payment.missing_data else ()
    return missing + incomplete + review_reasons(payment)


def review_reasons(payment: Payment) -> tuple[InternalReason, ...]:
    """Why a person must look at what the answers say."""
    reasons = []
    if payment.assessment is not None and payment.assessment.outcome is not FraudOutcome.ALLOW:
        reasons.append(InternalReason.FRAUD_REVIEW)
    if payment.screening is not None and not _is_clear(payment):
        reasons.append(InternalReason.COMPLIANCE_REVIEW)
    return tuple(reasons)


def _explained(payment: Payment, reason: InternalReason, at: datetime) -> PaymentRefusalExplained:
    return PaymentRefusalExplained(
        payment_id=payment.payment_id,
        debtor_account_id=payment.order.debtor_account_id,
        reason=reason,
        evidence=payment.evidence,
        explained_at=at,
    )
