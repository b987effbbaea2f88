"""Payments that have settled, looked at again when a list or the matcher changes: what is found becomes a case. Pure.

    screened ─► its order is remembered ─► settled ─► a list changes ─► somebody is listed by now ─► a case

Its money has moved, so nothing is told to payments, and what people decide changes nothing there: the case is a second
look, with the urgency of what was found. Only what screening did not say before is news.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.compliance.events import PartyRole, ScreeningOutcome
from schemas.payments.events import (
    Answer,
    EncryptedPersonalData,
    PaymentAnswerOverdue,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentSettled,
)
from services.compliance.domain import alerting, screenings
from services.compliance.domain.case import SYSTEM, ActKind, Case, CaseReason, CaseStatus, PaymentFacts, Rescreened
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.work import RememberedOrder, Screening, Work


class LookBack(Command):
    """The lists or the matcher have changed since the parties of a settled payment were last looked at."""

    payment_id: str


def screen_payment(work: Work, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Answer whether a payment is allowed, and keep what was ordered."""
    _remember(work, event.payment_id, event.order, at)
    return screenings.screen_payment(work, event, at)


def answer_again(work: Work, event: PaymentAnswerOverdue, at: datetime) -> Sequence[Event]:
    """Payments has not heard from us: answer, and keep what was ordered, for it may not have been told before."""
    if Answer.COMPLIANCE in event.awaited:
        _remember(work, event.payment_id, event.order, at)
    return screenings.answer_again(work, event, at)


def watch_payment(work: Work, event: PaymentSettled, at: datetime) -> Sequence[Event]:
    """Look at what has moved, and from now on at whoever is listed by then."""
    _note_settled(work, event)
    return alerting.watch_payment(work, event, at)


def look_back(work: Work, command: LookBack, at: datetime) -> Sequence[Event]:
    """Have people look at a payment that has settled, if one of its parties is listed by now."""
    known = work.orders.get(command.payment_id)
    if known is None or known.settled_at is None:
        return []
    if (known.matcher_version, known.catalogue_version) >= work.parties.versions:
        return []
    matcher_version, catalogue_version = work.parties.versions
    work.orders.put(
        known.payment_id, replace(known, matcher_version=matcher_version, catalogue_version=catalogue_version)
    )
    found, before = (
        screenings.screened(work, known.payment_id, known.order, at),
        work.screenings.get(known.payment_id),
    )
    if _hits(found) <= _hits(before):
        return []
    sequence = before.sequence if before is not None else 0
    later = max(at, before.screened_at + timedelta.resolution) if before is not None else at
    work.screenings.put(known.payment_id, replace(found, screened_at=later, sequence=sequence))
    _ask_people(work, known, found.outcome, at)
    return []


def _remember(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> None:
    if not work.policy.look_back_for or isinstance(order.personal, EncryptedPersonalData):
        return
    if payment_id in work.orders:
        return
    # Nobody knows under which versions it was answered, if it was: then it is looked at as soon as it has settled.
    matcher_version, catalogue_version = (0, 0) if payment_id in work.screenings else work.parties.versions
    work.orders.put(
        payment_id,
        RememberedOrder(
            payment_id=payment_id,
            screened_at=at,
            order=order,
            matcher_version=matcher_version,
            catalogue_version=catalogue_version,
        ),
    )


def _note_settled(work: Work, event: PaymentSettled) -> None:
    known = work.orders.get(event.payment_id)
    if known is not None and known.settled_at is None:
        work.orders.put(event.payment_id, replace(known, settled_at=event.settled_at))


def _hits(screening: Screening | None) -> set[tuple[PartyRole, str, ScreeningOutcome]]:
    """Who resembles whom, and how strongly."""
    if screening is None:
        return set()
    return {(role.role, hit.reference, hit.outcome) for role in screening.roles for hit in role.verdict.hits}


def _ask_people(work: Work, known: RememberedOrder, outcome: ScreeningOutcome, at: datetime) -> None:
    rescreened = Rescreened(outcome=outcome, reason=CaseReason.FOUND_LATER)
    case = work.cases.get(payment_case_id(known.payment_id))
    if case is not None and case.opened_at is not None and not case.has_ended:
        work.change_evidence(replace(case, rescreened=rescreened, is_second_look=True, is_payment_over=True), at)
        return
    is_first = case is None or case.opened_at is None
    facts = case.payment if case is not None else None
    waiting = replace(
        case or Case(case_id=payment_case_id(known.payment_id), partition_key=known.order.debtor_account_id),
        payment_id=known.payment_id,
        payment=facts or PaymentFacts(order=known.order, reasons=(), evidence=PaymentEvidence()),
        rescreened=rescreened,
        status=CaseStatus.OPEN,
        opened_at=at if case is None or case.opened_at is None else case.opened_at,
        waiting_since=None if is_first else at,
        is_second_look=True,
        is_payment_over=True,
        escalated_to=None,
        taken_by=None,
        proposal=None,
        decision=None,
        ended_at=None,
    )
    kind = ActKind.OPENED if is_first else ActKind.REOPENED
    work.act(waiting, kind, SYSTEM, at, note=CaseReason.FOUND_LATER.value)
