"""How urgent a case is, and by when it is to be ended. Pure.

    priority   what                                                     within
    P1         may have to be blocked: a listed party, suspected fraud  24 hours
    P2         in doubt: resembles someone listed, suspicious, watched  5 business days
    P3         can wait: a second look at what has ended                30 days

The clock runs from when the case was opened, or opened again, and nobody can stop it: a case that is put off comes
nearer to its end all the same. What is decided for us before that (a payment whose review times out) comes first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum

from schemas.payments.events import InternalReason
from services.compliance.domain.business_days import later_by_business_days
from services.compliance.domain.case import Case, CaseReason
from services.compliance.monitoring.parameters import Scenario


class Priority(IntEnum):
    """The lower, the sooner."""

    P1 = 1
    P2 = 2
    P3 = 3


PRIORITIES: Mapping[str, Priority] = {
    InternalReason.COMPLIANCE_BLOCK: Priority.P1,
    InternalReason.FRAUD_BLOCK: Priority.P1,
    InternalReason.COMPLIANCE_REVIEW: Priority.P2,
    InternalReason.FRAUD_REVIEW: Priority.P2,
    InternalReason.ANSWER_MISSING: Priority.P2,
    InternalReason.PARTY_DATA_MISSING: Priority.P2,
    InternalReason.POSTING_REFUSED: Priority.P3,
    CaseReason.RESEMBLES_LISTED: Priority.P2,
    CaseReason.LIST_CHANGED: Priority.P2,
    CaseReason.MATCHER_CHANGED: Priority.P2,
    CaseReason.NOT_SCREENABLE: Priority.P2,
    CaseReason.PAIR_ENDED: Priority.P2,
    CaseReason.DOCUMENT_REFUSED: Priority.P2,
    CaseReason.REVIEW_DUE: Priority.P3,
    CaseReason.FOUND_LATER: Priority.P2,
    # What monitoring has raised has moved already: reports on it are due within weeks.
    **dict.fromkeys(map(CaseReason, Scenario), Priority.P2),
}
"""By the reasons of a case: the most urgent counts, and what is not in here is P2."""

P1_WITHIN = timedelta(hours=24)
P2_WITHIN_BUSINESS_DAYS = 5
P3_WITHIN = timedelta(days=30)


def priority_of(case: Case) -> Priority:
    """How urgent a case is, by what is known about it now."""
    if case.is_second_look and CaseReason.FOUND_LATER not in case.reasons:
        return Priority.P3
    if case.is_about_listed_party:
        return Priority.P1
    return min((PRIORITIES.get(reason, Priority.P2) for reason in case.reasons), default=Priority.P2)


def due_at(case: Case) -> datetime | None:
    """By when a case is to be ended; None if it was never opened."""
    since = case.clock_from
    if since is None:
        return None
    within = _within(priority_of(case), since)
    return within if case.decide_by is None or case.is_second_look else min(within, case.decide_by)


def _within(priority: Priority, since: datetime) -> datetime:
    match priority:
        case Priority.P1:
            return since + P1_WITHIN
        case Priority.P2:
            return later_by_business_days(since, P2_WITHIN_BUSINESS_DAYS)
        case _:
            return since + P3_WITHIN
