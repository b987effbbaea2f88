"""Cases that are alike, with the same reasons and the same signs, proposed and confirmed at once. Pure.

It is the same two acts on every case, by the same rules and each on record: the first person has every case, the second
is somebody else, for every one of them. All are done, or none.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.record import Record
from schemas.compliance.events import CaseConcern, CaseDecision
from services.compliance.domain import acts
from services.compliance.domain.acts import ConfirmDecision, DeskCommand, ProposeDecision, RefusalReason, TakeCase
from services.compliance.domain.case import Case, CaseStatus
from services.compliance.domain.work import Work

ALIKE_MAX = 100
"""As many as a person can say that they have looked at."""


class SeenCase(Record):
    """A case, in the version that somebody has seen."""

    case_id: str
    version: int


class AlikeCommand(DeskCommand):
    """Something a person wants to do with several cases."""

    cases: tuple[SeenCase, ...]
    note: str


class ProposeAlike(AlikeCommand):
    """Propose the same for all of them; those that nobody has are taken first."""

    decision: CaseDecision


class ConfirmAlike(AlikeCommand):
    """Confirm what was proposed for each of them."""


def likeness_of(case: Case) -> str | None:
    """The same for cases that are alike; None for one that is like no other.

    Alike are cases of the same reasons with the same hits; of customers about whom the same scenarios have raised
    something; and of payments that fraud detection alone has stopped, by the same signs.
    """
    signs = _signs(case)
    if signs is None:
        return None
    kind, found = signs
    words = (kind, str(case.is_second_look), *sorted(case.reasons), "", *sorted(found))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _signs(case: Case) -> tuple[str, frozenset[str]] | None:
    """What kind of case it is, and what besides its reasons makes it one."""
    if case.payment is None:
        if case.alerts:
            return "alerts", frozenset()
        # Whoever has a listed number is looked at by itself: namesakes of the entry are not like that.
        if case.customer is None or case.customer.numbers_listed:
            return None
        hits = frozenset(hit.reference for hit in case.customer.verdict.hits)
        return ("customer", hits) if hits else None
    evidence = case.payment.evidence
    if hits := frozenset(finding.source for finding in evidence.compliance_hits):
        return "payment", hits
    signs = frozenset(finding.source for finding in evidence.fraud_findings)
    return ("fraud", signs) if signs and case.concerns == (CaseConcern.FRAUD,) else None


def propose(work: Work, command: ProposeAlike, at: datetime) -> Sequence[Event] | Refusal:
    """One person proposes the same for cases that are alike."""
    events: list[Event] = []
    if (fault := _fault(work, command)) is not None:
        return fault
    for seen in command.cases:
        case, version = work.cases[seen.case_id], seen.version
        about: dict[str, Any] = {"case_id": seen.case_id, "actor": command.actor, "role": command.role}
        if case.status is CaseStatus.OPEN:
            taken = acts.take(work, TakeCase(**about, version=version), at)
            if isinstance(taken, Refusal):
                return _named(taken, seen)
            events += taken
            version += 1
        proposal = ProposeDecision(**about, version=version, decision=command.decision, note=command.note)
        proposed = acts.propose(work, proposal, at)
        if isinstance(proposed, Refusal):
            return _named(proposed, seen)
        events += proposed
    return events


def confirm(work: Work, command: ConfirmAlike, at: datetime) -> Sequence[Event] | Refusal:
    """Another person confirms what was proposed for cases that are alike."""
    events: list[Event] = []
    if (fault := _fault(work, command)) is not None:
        return fault
    for seen in command.cases:
        about: dict[str, Any] = {"case_id": seen.case_id, "actor": command.actor, "role": command.role}
        confirmed = acts.confirm(work, ConfirmDecision(**about, version=seen.version, note=command.note), at)
        if isinstance(confirmed, Refusal):
            return _named(confirmed, seen)
        events += confirmed
    return events


def _fault(work: Work, command: AlikeCommand) -> Refusal | None:
    found = [work.cases.get(seen.case_id) for seen in command.cases]
    known = [case for case in found if case is not None and case.opened_at is not None]
    if not found or len(known) < len(found):
        return acts.refused(RefusalReason.CASE_UNKNOWN)
    likenesses = {likeness_of(case) for case in known}
    if len(likenesses) > 1 or None in likenesses or len({case.case_id for case in known}) < len(known):
        return acts.refused(RefusalReason.NOT_ALIKE)
    return None


def _named(refusal: Refusal, seen: SeenCase) -> Refusal:
    """The refusal of one case, for all of them."""
    return Refusal(reason=refusal.reason, detail=f"case {seen.case_id}: {refusal.detail}", field=refusal.field)
