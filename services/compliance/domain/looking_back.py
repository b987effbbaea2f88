"""Payments that have settled, looked at again when more is known: what is found becomes a case. Pure.

    screened, with its order ─► settled ─┬─► a list or the matcher changes ─────┬─► somebody is listed by now ─► a case
                                         └─► more is told of its parties ───────┘

Its money has moved, so nothing is told to payments, and what people decide changes nothing there: the case is a second
look, with the urgency of what was found. Only what screening did not say before is news, and only news is written: all
payments are gone through in the order in which they were screened, and one mark says up to where.
"""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.compliance.events import PartyRole, ScreeningOutcome
from schemas.payments.events import PaymentEvidence, PaymentOrder, PaymentSettled
from services.compliance.domain import alerting, screenings
from services.compliance.domain.case import SYSTEM, ActKind, Case, CaseReason, CaseStatus, PaymentFacts, Rescreened
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.work import Looked, LookingBack, Screening, Work

LOOKING_BACK_ID = ids.named("compliance", "looking back")
"""There is one."""


class LookBack(Command):
    """The lists or the matcher have changed since the parties of a payment were last looked at."""

    payment_id: str


class GoOn(Command):
    """The next payments are being looked back at, with this batch: the mark moves on behind them."""

    before: LookingBack | None
    after: LookingBack
    payment_ids: tuple[str, ...]


def watch_payment(work: Work, event: PaymentSettled, at: datetime) -> Sequence[Event]:
    """Look at what has moved, and from now on at whoever is listed by then."""
    known = work.screenings.get(event.payment_id)
    if known is not None and known.settled_at is None:
        # The mark may have gone by while it was on its way; and while processes are replaced it was perhaps answered
        # by a newer matcher with older lists.
        is_behind = known.order is not None and known.versions != work.parties.versions
        work.screenings.put(known.payment_id, replace(known, settled_at=event.settled_at, is_to_look_at=is_behind))
    return alerting.watch_money(work, event, at)


def look_back(work: Work, command: LookBack, at: datetime) -> Sequence[Event]:
    """Have people look at a payment that has settled, if one of its parties is listed by now."""
    work.looked_at.append(Looked(payment_id=command.payment_id))
    known = work.screenings.get(command.payment_id)
    order = screenings.opened(known, work.keys) if known is not None else None
    if known is None or order is None or known.settled_at is None:
        return []
    matcher_version, catalogue_version = work.parties.versions
    knows_no_more = known.matcher_version <= matcher_version and known.catalogue_version <= catalogue_version
    if known.is_to_look_at and knows_no_more:
        known = replace(known, is_to_look_at=False)
        work.screenings.put(known.payment_id, known)
    if known.versions < work.parties.versions:
        find(work, known, order, at)
    return []


def go_on(work: Work, command: GoOn, at: datetime) -> Sequence[Event]:
    """Move the mark. What could not be looked at is looked at by itself, again and again: it holds up no other."""
    if work.looking_back.get(LOOKING_BACK_ID) != command.before:
        return []
    work.looking_back.put(LOOKING_BACK_ID, command.after)
    looked_at = {one.payment_id for one in work.looked_at}
    for payment_id in command.payment_ids:
        known = work.screenings.get(payment_id)
        if payment_id not in looked_at and known is not None and known.settled_at is not None:
            work.screenings.put(payment_id, replace(known, is_to_look_at=True))
    return []


def find(work: Work, known: Screening, order: PaymentOrder, at: datetime) -> None:
    """Look at a payment that has settled: what screening did not say of it before is kept, and shown to people."""
    found = screenings.later(work, known.payment_id, order, known, at)
    if _hits(found) <= _hits(known):
        return
    work.screenings.put(known.payment_id, found)
    _ask_people(work, known.payment_id, order, found.outcome, at)


def _hits(screening: Screening) -> set[tuple[PartyRole, str, ScreeningOutcome]]:
    """Who resembles whom, and how strongly."""
    return {(role.role, hit.reference, hit.outcome) for role in screening.roles for hit in role.verdict.hits}


def _ask_people(work: Work, payment_id: str, order: PaymentOrder, outcome: ScreeningOutcome, at: datetime) -> None:
    rescreened = Rescreened(outcome=outcome, reason=CaseReason.FOUND_LATER)
    case = work.cases.get(payment_case_id(payment_id))
    if case is not None and case.opened_at is not None and not case.has_ended:
        work.change_evidence(replace(case, rescreened=rescreened, is_second_look=True, is_payment_over=True), at)
        return
    is_first = case is None or case.opened_at is None
    facts = case.payment if case is not None else None
    waiting = replace(
        case or Case(case_id=payment_case_id(payment_id), partition_key=order.debtor_account_id),
        payment_id=payment_id,
        payment=facts or PaymentFacts(order=order, reasons=(), evidence=PaymentEvidence()),
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
