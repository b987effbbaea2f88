"""The life of a case, as far as payments tells it: opened, shown anew, closed, opened again. Pure.

    open ─► taken ─► proposed ─► resolved          what people do: see `acts.py`
     │         ▲         │
     │         └─────────┘ returned; taken over: the same with another person
     └─► closed                                    what it was about has settled itself

Every step is an act that is kept with its actor, its time and its note.
"""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.record import replace
from schemas.accounts.events import PropertyBlocked
from schemas.compliance.events import CaseOpened
from schemas.payments.events import (
    PaymentBlocked,
    PaymentCancelled,
    PaymentRefusalExplained,
    PaymentResumed,
    PaymentSuspended,
)
from services.compliance.domain.business_days import report_due_on
from services.compliance.domain.case import SYSTEM, ActKind, Case, CaseStatus, PaymentFacts
from services.compliance.domain.work import BlockedProperty, Work


def payment_case_id(payment_id: str) -> str:
    """A payment has one case, however often it is suspended."""
    return ids.derive(payment_id, "compliance", "case")


def open_or_update(work: Work, event: PaymentSuspended, at: datetime) -> Sequence[Event]:
    """A payment waits for people, or more is known about one that does."""
    case = work.cases.get(payment_case_id(event.payment_id))
    if case is None or case.opened_at is None:
        return _open(work, case, event, at)
    if case.is_payment_over or (case.told_at is not None and event.suspended_at < case.told_at):
        # Replayed from the dead letters, after what followed it.
        return []
    facts = PaymentFacts(order=event.order, reasons=event.reasons, evidence=event.evidence)
    changed = replace(case, payment=facts, told_at=event.suspended_at, decide_by=event.decide_by)
    if case.has_ended or case.is_second_look:
        # By this a new suspension is told from more about an old one: clocks of two machines tell nothing.
        is_suspended_anew = event.decide_by != case.decide_by
        if is_suspended_anew:
            return _reopen(work, changed, at)
        if case.has_ended:
            return _note(work, changed, at)
    if facts == case.payment:
        work.cases.put(case.case_id, changed)
        return []
    work.change_evidence(changed, at)
    return []


def close(
    work: Work, event: PaymentResumed | PaymentRefusalExplained | PaymentCancelled, at: datetime
) -> Sequence[Event]:
    """The payment goes on, or has ended, without people."""
    is_over = not isinstance(event, PaymentResumed)
    case = work.cases.get(payment_case_id(event.payment_id))
    if case is None:
        if isinstance(event, PaymentCancelled):
            # Told on another topic than suspensions: one that comes after this is news of the past.
            _remember_end(work, event, at)
        return []
    if isinstance(event, PaymentResumed) and case.told_at is not None and event.resumed_at < case.told_at:
        # Replayed from the dead letters: the payment has been suspended again since.
        return []
    case = replace(case, is_payment_over=case.is_payment_over or is_over)
    if case.has_ended or case.opened_at is None or case.is_second_look:
        work.cases.put(case.case_id, case)
        return []
    ended = replace(case, status=CaseStatus.CLOSED, snoozed_until=None, proposal=None, ended_at=at)
    work.act(ended, ActKind.CLOSED, SYSTEM, at, note=_why_closed(event))
    return []


def record_blocked_property(work: Work, event: PaymentBlocked | PropertyBlocked, at: datetime) -> Sequence[Event]:
    """Money of a payment, or a listed customer's own, lies in blocked funds: it has to be reported."""
    if isinstance(event, PaymentBlocked):
        payment_id, customer_id, account_id = event.payment_id, None, event.debtor_account_id
    else:
        payment_id, customer_id, account_id = event.payment_id or event.transfer_id, event.customer_id, event.account_id
    work.blocked.append(
        BlockedProperty(
            payment_id=payment_id,
            customer_id=customer_id,
            debtor_account_id=account_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            transfer_id=event.transfer_id,
            blocked_at=event.blocked_at,
            report_due_on=report_due_on(event.blocked_at),
        )
    )
    return []


def _open(work: Work, known: Case | None, event: PaymentSuspended, at: datetime) -> Sequence[Event]:
    if known is not None and known.is_payment_over:
        return []
    case = Case(
        case_id=payment_case_id(event.payment_id),
        partition_key=event.order.debtor_account_id,
        payment_id=event.payment_id,
        payment=PaymentFacts(order=event.order, reasons=event.reasons, evidence=event.evidence),
        opened_at=at,
        told_at=event.suspended_at,
        decide_by=event.decide_by,
    )
    return [opened(work.act(case, ActKind.OPENED, SYSTEM, at, note=", ".join(case.reasons)), at)]


def _note(work: Work, case: Case, at: datetime) -> Sequence[Event]:
    """It was on its way while people decided. If they had to know it, payments suspends the payment anew."""
    work.act(case, ActKind.EVIDENCE_CHANGED, SYSTEM, at, note="told before the end, received after it")
    return []


def _reopen(work: Work, case: Case, at: datetime) -> Sequence[Event]:
    waiting = replace(
        case,
        status=CaseStatus.OPEN,
        waiting_since=at,
        snoozed_until=None,
        escalated_to=None,
        is_second_look=False,
        taken_by=None,
        proposal=None,
        decision=None,
        ended_at=None,
    )
    return [opened(work.act(waiting, ActKind.REOPENED, SYSTEM, at, note=", ".join(case.reasons)), at)]


def _remember_end(work: Work, event: PaymentCancelled, at: datetime) -> None:
    case = Case(
        case_id=payment_case_id(event.payment_id),
        partition_key=event.debtor_account_id,
        payment_id=event.payment_id,
        status=CaseStatus.CLOSED,
        ended_at=at,
        is_payment_over=True,
    )
    work.cases.put(case.case_id, case)


def _why_closed(event: PaymentResumed | PaymentRefusalExplained | PaymentCancelled) -> str:
    match event:
        case PaymentResumed():
            return "the payment goes on by itself"
        case PaymentCancelled():
            return "the client has withdrawn the payment"
        case _:
            return f"the payment was refused: {event.reason.value}"


def opened(case: Case, at: datetime) -> CaseOpened:
    """The event that tells of a case, new or open again."""
    return CaseOpened(
        case_id=case.case_id,
        partition_key=case.partition_key,
        payment_id=case.payment_id,
        customer_id=case.customer_id,
        opened_at=at,
    )
