"""What payments learns from the others, and what it does then. Pure.

Every answer may come late, twice, or in any order. A repeated answer changes nothing; a late one is
recorded, and a hold that arrives after the end is released.
"""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    DeclineReason,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    PostRefusal,
)
from schemas.compliance.events import CaseDecision, CaseResolved, CaseTaken, ComplianceScreened
from schemas.fraud.events import FraudAssessed
from schemas.payments.events import (
    Answer,
    InternalReason,
    PaymentAnswerOverdue,
    PaymentBlocked,
    PaymentReleaseRequested,
    PaymentSettled,
    PublicReason,
)
from services.payments.domain import journey
from services.payments.domain.deadlines import Action, due_action, enter, next_deadline
from services.payments.domain.payment import (
    Assessment,
    Charge,
    Funds,
    KnownAccount,
    Payment,
    Payments,
    PaymentState,
    Screening,
)


class DeadlinePassed(Command):
    """A payment may have stayed in its state for longer than it should. A clock tick is an event too."""

    payment_id: str
    check_at: datetime
    """The look that is due. Once it has been taken, the same tick means nothing, however late another worker is."""


# The three answers


def record_assessment(payments: Payments, event: FraudAssessed, at: datetime) -> Sequence[Event]:
    """Take fraud's answer into account."""
    payment = payments[event.payment_id]
    if payment.assessment is not None:
        return []
    payment = payment.saw(at, "fraud answered", event.outcome.value, is_internal=True)
    assessment = Assessment(outcome=event.outcome, score=event.score, findings=event.findings)
    return journey.advance(payments, replace(payment, assessment=assessment), at)


def record_screening(payments: Payments, event: ComplianceScreened, at: datetime) -> Sequence[Event]:
    """Take compliance's answer into account; also a later one, as long as it can still change anything.

    Lists change while a payment waits for people: what is known about its parties then is what counts. It may
    have gone on meanwhile, and may have to wait again if its money can't be moved.
    """
    payment, screening = payments[event.payment_id], _screening(event)
    if payment.screening is None:
        payment = payment.saw(at, "compliance answered", event.outcome.value, is_internal=True)
    elif payment.may_change_course and screening.screened_at > payment.screening.screened_at:
        payment = payment.saw(at, "compliance looked again", event.outcome.value, is_internal=True)
        # Whoever decided without having seen it is asked again.
        is_approved = payment.state in (PaymentState.AUTHORISED, PaymentState.APPROVED)
        payment = replace(payment, alarmed_at=at, resolution=None if is_approved else payment.resolution)
    else:
        return []
    return journey.advance(payments, replace(payment, screening=screening), at)


def _screening(event: ComplianceScreened) -> Screening:
    return Screening(outcome=event.outcome, screened_at=event.screened_at, hits=event.hits, missing=event.missing)


def record_hold(payments: Payments, event: FundsHeld, at: datetime) -> Sequence[Event]:
    """The money is set aside. If the payment has ended meanwhile, nobody needs it any more."""
    payment = payments[event.payment_id]
    if payment.funds is not None:
        return []
    payment = replace(payment.saw(at, "funds held"), funds=Funds())
    if payment.state in (PaymentState.REJECTED, PaymentState.CANCELLED):
        payments.put(payment)
        return [
            PaymentReleaseRequested(
                payment_id=event.payment_id, debtor_account_id=event.debtor_account_id, requested_at=at
            )
        ]
    return journey.advance(payments, payment, at)


def record_decline(payments: Payments, event: FundsDeclined, at: datetime) -> Sequence[Event]:
    """The money is not there."""
    payment = payments[event.payment_id]
    if payment.funds is not None:
        return []
    # Not for clients: accounts' reasons name what is no business of theirs, such as that another's account is frozen.
    payment = payment.saw(at, "funds declined", event.reason.value, is_internal=True)
    return journey.advance(payments, replace(payment, funds=Funds(decline_reason=event.reason)), at)


# What became of the money


def settle(payments: Payments, event: FundsPosted, at: datetime) -> Sequence[Event]:
    """End: the money has reached the creditor."""
    payment = payments[event.payment_id]
    if payment.state is PaymentState.SETTLED:
        return []
    _require_not_ended(payment, "posted")
    settled = enter(payment.saw(at, "settled"), PaymentState.SETTLED, at, payments.policy)
    charge = Charge(amount_minor=event.amount_minor, fee_minor=event.fee_minor)
    payments.put(replace(settled, settled=charge, transfer_id=event.transfer_id))
    return [
        PaymentSettled(
            payment_id=event.payment_id,
            debtor_account_id=event.debtor_account_id,
            creditor_account_id=event.creditor_account_id,
            debtor_customer_id=payment.order.debtor_customer_id,
            creditor_customer_id=payment.order.creditor_customer_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            fee_minor=event.fee_minor,
            is_cash=payment.order.is_cash,
            instructed_at=payment.order.instructed_at,
            transfer_id=event.transfer_id,
            settled_at=at,
        )
    ]


def record_block(payments: Payments, event: FundsBlocked, at: datetime) -> Sequence[Event]:
    """End: the money lies in blocked funds."""
    payment = payments[event.payment_id]
    if payment.state is PaymentState.BLOCKED:
        return []
    _require_not_ended(payment, "moved to blocked funds")
    blocked = enter(payment.saw(at, "blocked"), PaymentState.BLOCKED, at, payments.policy)
    payments.put(replace(blocked, transfer_id=event.transfer_id))
    return [
        PaymentBlocked(
            payment_id=event.payment_id,
            debtor_account_id=event.debtor_account_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            transfer_id=event.transfer_id,
            blocked_at=at,
        )
    ]


def _require_not_ended(payment: Payment, what: str) -> None:
    """Money that moves for a payment that has ended is a fault that someone must see: a dead letter."""
    if payment.has_ended:
        raise ValueError(f"money was {what} for a payment that has ended as {payment.state}")


def record_post_refusal(payments: Payments, event: FundsPostRefused, at: datetime) -> Sequence[Event]:
    """An account was frozen or closed meanwhile: a person looks at the payer's, the payee's ends the payment.

    Unless screening has found something since it was approved: the money of a listed party is blocked, and what may
    be one's is for a person to decide.
    """
    payment = payments[event.payment_id]
    is_gone = event.reason is PostRefusal.NOTHING_HELD
    # No account's state stops a block, so while one is under way every other refusal is an old one.
    if not (payment.state is PaymentState.APPROVED or (payment.state is PaymentState.BLOCKING and is_gone)):
        return []
    if event.approved_at not in (None, payment.entered_at) and not is_gone:
        # It answers an approval before this one, on which the money may move yet.
        return []
    payment = payment.saw(at, "posting refused", event.reason.value, is_internal=True)
    if payment.is_listed and not is_gone:
        return journey.block(payments, payment, InternalReason.COMPLIANCE_BLOCK, at)
    is_to_be_seen = payment.resolution is None and not journey.may_be_given_back(payment)
    match event.reason:
        case (
            PostRefusal.CREDITOR_ACCOUNT_CLOSED | PostRefusal.CREDITOR_ACCOUNT_FROZEN | PostRefusal.CEILING_EXCEEDED
        ) if not is_to_be_seen:
            reason = PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE
        case PostRefusal.NOTHING_HELD:
            reason = PublicReason.NOT_COMPLETED_IN_TIME
        case _:
            undecided = replace(payment, resolution=None, is_case_taken=False)
            return journey.suspend(payments, undecided, (InternalReason.POSTING_REFUSED,), at)
    return journey.reject(payments, payment, reason, InternalReason.POSTING_REFUSED, at)


def record_release(payments: Payments, event: FundsReleased, at: datetime) -> Sequence[Event]:
    """The money was given back: because we said so, or because the hold's own time ran out."""
    payment = payments[event.payment_id].saw(at, "funds released")
    if payment.has_ended:
        payments.put(payment)
        return []
    expired = replace(payment, funds=Funds(decline_reason=DeclineReason.PAYMENT_ENDED))
    return journey.reject(payments, expired, PublicReason.NOT_COMPLETED_IN_TIME, InternalReason.FUNDS_DECLINED, at)


# What people decide


def record_case_taken(payments: Payments, event: CaseTaken, at: datetime) -> Sequence[Event]:
    """A person works on it: from now on it moves only by that person's word."""
    if event.payment_id is None:
        return []
    payment = payments[event.payment_id]
    if payment.state is PaymentState.SUSPENDED:
        payments.put(replace(payment.saw(at, "under review", is_internal=True), is_case_taken=True))
    return []


def record_resolution(payments: Payments, event: CaseResolved, at: datetime) -> Sequence[Event]:
    """Two people have decided. Raises ValueError for a decision that this version knows nothing of."""
    if event.payment_id is None:
        return []
    if event.decision is CaseDecision.UNKNOWN:
        raise ValueError("a decision unknown to this version can't be carried out")
    payment = payments[event.payment_id]
    if payment.state is not PaymentState.SUSPENDED:
        return []
    payment = payment.saw(at, "reviewers decided", event.decision.value, is_internal=True)
    if event.decision is CaseDecision.APPROVE and _is_out_of_date(payment, event):
        return journey.ask_again(payments, payment, at)
    return journey.resolve(payments, payment, event.decision, at)


def _is_out_of_date(payment: Payment, event: CaseResolved) -> bool:
    """Whether people decided before they could see why a person has to look."""
    if payment.is_listed or event.evidence_at is None or payment.alarmed_at is None:
        return False
    return event.evidence_at < payment.alarmed_at


# What time decides


def stop_waiting(payments: Payments, command: DeadlinePassed, at: datetime) -> Sequence[Event]:
    """Carry out a withdrawal that waits for it; else do what the table of deadlines says about waiting too long."""
    payment = payments.payments.get(command.payment_id)
    if payment is None or payment.deadline_at is None or payment.check_at != command.check_at:
        return []
    if journey.is_to_be_withdrawn(payment):
        return journey.cancel(payments, payment, at)
    if payment.deadline_at > at:
        payments.put(replace(payment, check_at=payment.deadline_at))
        return []
    match due_action(payment, payments.policy):
        case Action.SUSPEND:
            return journey.suspend(payments, payment, journey.suspension_reasons(payment), at)
        case Action.GIVE_UP if journey.may_be_given_back(payment):
            return journey.reject(
                payments, payment, PublicReason.NOT_COMPLETED_IN_TIME, InternalReason.REVIEW_TIMED_OUT, at
            )
        case Action.LAPSE:
            return journey.lapse(payments, payment, at)
        case _:
            return _ask_again(payments, payment, at)


def _ask_again(payments: Payments, payment: Payment, at: datetime) -> Sequence[Event]:
    if payment.state is PaymentState.APPROVED and payment.is_listed:
        # To ask for the posting again would be to order it anew. If the money has moved, accounts says so.
        return journey.block(payments, payment, InternalReason.COMPLIANCE_BLOCK, at)
    payment = next_deadline(payment, at, payments.policy)
    awaited = {PaymentState.APPROVED: [Answer.POSTING], PaymentState.BLOCKING: [Answer.BLOCKING]}.get(
        payment.state, journey.missing_answers(payment)
    )
    if not awaited:
        # All that is missing is a person's word.
        return journey.show(payments, payment, at)
    payments.put(payment.saw(at, "asked again", ", ".join(awaited), is_internal=True))
    approved = payment.charge if payment.state is PaymentState.APPROVED else None
    return [
        PaymentAnswerOverdue(
            payment_id=payment.payment_id,
            order=payment.order,
            awaited=tuple(awaited),
            approved_amount_minor=approved.amount_minor if approved else None,
            approved_fee_minor=approved.fee_minor if approved else None,
            approved_at=payment.entered_at if approved else None,
            overdue_at=at,
        )
    ]


# Payments' copy of which accounts there are


def learn_account(payments: Payments, event: AccountOpened, at: datetime) -> Sequence[Event]:
    """An account can be used from now on."""
    account = KnownAccount(
        account_id=event.account_id,
        customer_id=event.customer_id,
        currency=event.currency,
        client_id=event.client_id,
    )
    payments.accounts.put(event.account_id, account)
    return []


def learn_status(
    payments: Payments, event: AccountFrozen | AccountThawed | AccountClosed, at: datetime
) -> Sequence[Event]:
    """An account can pay or receive no more, or again."""
    is_thawed = isinstance(event, AccountThawed)
    may_receive = is_thawed or (isinstance(event, AccountFrozen) and event.may_receive)
    account = replace(payments.accounts[event.account_id], may_pay=is_thawed, may_receive=may_receive)
    payments.accounts.put(event.account_id, account)
    return []


def deadline_message_id(id_: str, check_at: datetime) -> str:
    """The id of one look at a payment or a refund: the same however often the sweep takes it."""
    return ids.derive(id_, "deadline", check_at.isoformat())
