"""Reports to the authorities, from draft to filed: one officer writes, another approves. Pure.

    draft ──► approved ──► filed ──► … 90 days later looked at again: reviewed, or continued by another report
      └──────────┴──► withdrawn: it was decided, with a reason, that nothing is reported

No event tells of any of it, nor does a case: whether a report exists is nobody's to know but officers and auditors
(31 U.S.C. 5318(g)(2)). Every function refuses first, in the order of FilingRefusal, and acts last.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.record import replace
from services.compliance.domain.acts import DeskCommand, put_down
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.work import Work
from services.compliance.filings import deadlines
from services.compliance.filings.ctr import CtrReport
from services.compliance.filings.efiling import Institution
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.filing import (
    UNDER_WAY,
    Filing,
    FilingAct,
    FilingActKind,
    FilingKind,
    FilingStatus,
)
from services.compliance.filings.property import PropertyReport
from services.compliance.filings.property import due_on as property_due_on
from services.compliance.filings.sar import SarReport


class FilingRefusal(StrEnum):
    """Why an act is refused, in order of precedence."""

    CASE_UNKNOWN = "case_unknown"
    FILING_UNKNOWN = "filing_unknown"
    ALREADY_DRAFTED = "already_drafted"
    WRONG_STATUS = "wrong_status"
    OWN_DRAFT = "own_draft"
    NOTE_MISSING = "note_missing"
    DATE_WRONG = "date_wrong"
    PRIOR_UNKNOWN = "prior_unknown"
    NO_INSTITUTION = "no_institution"
    FAULTY = "faulty"
    STALE = "stale"


_IN_WORDS = {
    FilingRefusal.CASE_UNKNOWN: "there is no such case",
    FilingRefusal.FILING_UNKNOWN: "there is no such filing",
    FilingRefusal.ALREADY_DRAFTED: "such a report on this case is under way already",
    FilingRefusal.OWN_DRAFT: "another officer must approve what you have written",
    FilingRefusal.NOTE_MISSING: "a note must say why",
    FilingRefusal.PRIOR_UNKNOWN: "no report with the number that this one continues was filed here: say when it was",
    FilingRefusal.NO_INSTITUTION: "WEIR_INSTITUTION_FILE does not say yet who files",
    FilingRefusal.STALE: "the filing has changed since you looked at it",
}


class FilingCommand(DeskCommand):
    """Something an officer wants to do with a filing."""

    filing_id: str
    version: int
    """The version of the filing that the officer has seen; 0 for one that is new."""


class DraftFiling(FilingCommand):
    """Begin a report on a case."""

    case_id: str
    detected_on: date
    """The day on which the activity was detected, or property was blocked, or a transfer rejected. Of a report on cash
    it is the day of the transactions, whatever is said here."""
    sar: SarReport | None = None
    """One of the three."""
    ctr: CtrReport | None = None
    ofac: PropertyReport | None = None


class ReviseFiling(FilingCommand):
    """Write it anew, on the same form. What was approved has to be approved again."""

    sar: SarReport | None = None
    ctr: CtrReport | None = None
    ofac: PropertyReport | None = None


class ApproveFiling(FilingCommand):
    """Agree, as another officer, to what it says."""


class RecordFiled(FilingCommand):
    """It was handed in, and is known under this number."""

    document_number: str
    filed_on: date


class ReviewFiling(FilingCommand):
    """Activity that was reported was looked at again, and needs no further report: what was found."""

    note: str


class WithdrawFiling(FilingCommand):
    """Decide that nothing is reported."""

    note: str


def draft(work: Work, command: DraftFiling, at: datetime) -> Sequence[Event] | Refusal:
    """An officer begins a report; of each kind one at a time for a case."""
    case = work.cases.get(command.case_id)
    # Property may be blocked without anybody's being asked, and a year has no case.
    if command.ofac is None and (case is None or case.opened_at is None):
        return _refusal(FilingRefusal.CASE_UNKNOWN)
    filing = _with_days(
        work,
        Filing(
            filing_id=command.filing_id,
            case_id=command.case_id,
            sar=command.sar,
            ctr=command.ctr,
            ofac=command.ofac,
            detected_on=command.detected_on,
            due_on=command.detected_on,
            written_by=command.actor,
            drafted_at=at,
        ),
    )
    if command.filing_id in work.filings or _is_under_way(work, filing):
        return _refusal(FilingRefusal.ALREADY_DRAFTED)
    if (fault := _fault_of_days(filing, day_of(at))) is not None:
        return fault
    _act(work, filing, FilingActKind.DRAFTED, command, at)
    return []


def revise(work: Work, command: ReviseFiling, at: datetime) -> Sequence[Event] | Refusal:
    """An officer writes it anew."""
    filing = _filing(work, command, *UNDER_WAY)
    if isinstance(filing, Refusal):
        return filing
    if not _is_same_form(command, filing):
        return _refusal(FilingRefusal.WRONG_STATUS, f"the filing is a {filing.kind.value.upper()}, and stays one")
    revised = replace(
        filing,
        status=FilingStatus.DRAFT,
        sar=command.sar,
        ctr=command.ctr,
        ofac=command.ofac,
        written_by=command.actor,
        approved_by=None,
    )
    revised = _with_days(work, revised)
    if (fault := _fault_of_days(revised, day_of(at))) is not None:
        return fault
    if command.version != filing.version:
        return _refusal(FilingRefusal.STALE)
    _act(work, revised, FilingActKind.REVISED, command, at)
    return []


def approve(work: Work, command: ApproveFiling, at: datetime) -> Sequence[Event] | Refusal:
    """Another officer agrees, if it can be filed as it is."""
    filing = _filing(work, command, FilingStatus.DRAFT)
    if isinstance(filing, Refusal):
        return filing
    if filing.written_by == command.actor:
        return _refusal(FilingRefusal.OWN_DRAFT)
    if (fault := _fault(work, filing, day_of(at))) is not None:
        return fault
    if command.version != filing.version:
        return _refusal(FilingRefusal.STALE)
    approved = replace(filing, status=FilingStatus.APPROVED, approved_by=command.actor)
    _act(work, approved, FilingActKind.APPROVED, command, at)
    return []


def record_filed(work: Work, command: RecordFiled, at: datetime) -> Sequence[Event] | Refusal:
    """An officer has handed it in. What goes on is looked at again after 90 days."""
    filing = _filing(work, command, FilingStatus.APPROVED)
    if isinstance(filing, Refusal):
        return filing
    if not filing.detected_on <= command.filed_on <= day_of(at):
        return _refusal(FilingRefusal.DATE_WRONG, "it was filed between its detection and today", "filed_on")
    # Once more: what may not be filed is known better by now than when it was approved, perhaps.
    if (fault := _fault(work, filing, command.filed_on)) is not None:
        return fault
    if command.version != filing.version:
        return _refusal(FilingRefusal.STALE)
    filed = replace(
        filing,
        status=FilingStatus.FILED,
        document_number=command.document_number,
        filed_on=command.filed_on,
        review_on=deadlines.review_due_on(command.filed_on) if filing.kind is FilingKind.SAR else None,
    )
    _act(work, filed, FilingActKind.FILED, command, at, note=command.document_number)
    for before in _continued(work, filed.sar):
        if before.review_on is not None and before.filing_id != filed.filing_id:
            _act(
                work,
                replace(before, review_on=None),
                FilingActKind.CONTINUED,
                command,
                at,
                note=command.document_number,
            )
    return []


def review(work: Work, command: ReviewFiling, at: datetime) -> Sequence[Event] | Refusal:
    """An officer has looked again at what was reported, and says what was found. What goes on is reported anew."""
    filing = _filing(work, command, FilingStatus.FILED)
    if isinstance(filing, Refusal):
        return filing
    if filing.review_on is None:
        return _refusal(FilingRefusal.WRONG_STATUS, "nothing of it is to be looked at again")
    if not command.note.strip():
        return _refusal(FilingRefusal.NOTE_MISSING, field="note")
    if command.version != filing.version:
        return _refusal(FilingRefusal.STALE)
    reviewed = replace(filing, review_on=None)
    _act(work, reviewed, FilingActKind.REVIEWED, command, at, note=command.note.strip())
    return []


def withdraw(work: Work, command: WithdrawFiling, at: datetime) -> Sequence[Event] | Refusal:
    """An officer decides that nothing is reported, and says why: that is kept, too."""
    filing = _filing(work, command, *UNDER_WAY)
    if isinstance(filing, Refusal):
        return filing
    if not command.note.strip():
        return _refusal(FilingRefusal.NOTE_MISSING, field="note")
    if command.version != filing.version:
        return _refusal(FilingRefusal.STALE)
    withdrawn = replace(filing, status=FilingStatus.WITHDRAWN)
    _act(work, withdrawn, FilingActKind.WITHDRAWN, command, at, note=command.note.strip())
    return []


def due_on(filing: Filing, institution: Institution | None) -> date:
    """The last day for a report, counted from the day that its rule names."""
    if filing.ofac is not None:
        return property_due_on(filing.ofac, filing.detected_on)
    if filing.ctr is not None:
        return deadlines.ctr_due_on(filing.ctr.transacted_on)
    assert filing.sar is not None
    if filing.sar.prior_filed_on is not None:
        return deadlines.continuing_sar_due_on(filing.sar.prior_filed_on)
    by = institution.kind if institution is not None else None
    return deadlines.sar_due_on(filing.detected_on, is_suspect_known=bool(filing.sar.subjects), by=by)


def _with_days(work: Work, filing: Filing) -> Filing:
    """The report with the day that its deadline counts from, as far as it is known here, and the deadline."""
    if filing.ctr is not None:
        filing = replace(filing, detected_on=filing.ctr.transacted_on)
    if filing.sar is not None:
        filing = replace(filing, sar=_with_prior(work, filing.sar))
    return replace(filing, due_on=due_on(filing, work.policy.institution))


def _with_prior(work: Work, sar: SarReport) -> SarReport:
    """What was filed here is known better than it is remembered."""
    if sar.prior_document_number is None:
        return replace(sar, prior_filed_on=None)
    known = [found.filed_on for found in _continued(work, sar) if found.filed_on is not None]
    return replace(sar, prior_filed_on=min(known)) if known else sar


def _continued(work: Work, sar: SarReport | None) -> list[Filing]:
    """The report that one continues, as far as it was filed here."""
    if sar is None or sar.prior_document_number is None:
        return []
    number = str(sar.prior_document_number)
    return [
        filing
        for filing in work.filings.values()
        if filing.kind is FilingKind.SAR and filing.status is FilingStatus.FILED and filing.document_number == number
    ]


def _fault_of_days(filing: Filing, today: date) -> Refusal | None:
    """Why its deadline can't be told, if it can't."""
    if filing.ctr is not None and filing.ctr.transacted_on > today:
        return _refusal(FilingRefusal.DATE_WRONG, "the cash can't have been paid after today", "transacted_on")
    if filing.detected_on > today:
        return _refusal(FilingRefusal.DATE_WRONG, "it can't have been detected after today", "detected_on")
    sar = filing.sar
    if sar is None or sar.prior_document_number is None:
        return None
    if sar.prior_filed_on is None:
        return _refusal(FilingRefusal.PRIOR_UNKNOWN, field="prior_filed_on")
    if sar.prior_filed_on > today:
        return _refusal(
            FilingRefusal.DATE_WRONG, "the report before can't have been filed after today", "prior_filed_on"
        )
    return None


def _fault(work: Work, filing: Filing, on: date) -> Refusal | None:
    """Why it can't be filed as it is, if it can't."""
    if work.policy.institution is None:
        return _refusal(FilingRefusal.NO_INSTITUTION)
    try:
        filing.written(work.policy.institution, on)
    except FilingFault as fault:
        return _refusal(FilingRefusal.FAULTY, str(fault), fault.field)
    return None


def _is_under_way(work: Work, filing: Filing) -> bool:
    return any(
        other.case_id == filing.case_id and other.kind is filing.kind and _stands(other)
        for other in work.filings.values()
    )


def _stands(filing: Filing) -> bool:
    """Whether there can't be another such report: one is under way, or property, which is reported once, was."""
    return filing.status in UNDER_WAY or (filing.ofac is not None and filing.status is FilingStatus.FILED)


def _is_same_form(command: ReviseFiling, filing: Filing) -> bool:
    if command.ofac is not None and filing.ofac is not None:
        return command.ofac.kind is filing.ofac.kind
    return [command.sar is None, command.ofac is None] == [filing.sar is None, filing.ofac is None]


def _filing(work: Work, command: FilingCommand, *statuses: FilingStatus) -> Filing | Refusal:
    filing = work.filings.get(command.filing_id)
    if filing is None:
        return _refusal(FilingRefusal.FILING_UNKNOWN)
    if filing.status not in statuses:
        return _refusal(FilingRefusal.WRONG_STATUS, f"the filing is {filing.status.value}")
    return filing


def _act(
    work: Work, filing: Filing, kind: FilingActKind, command: FilingCommand, at: datetime, *, note: str = ""
) -> None:
    """Put a filing as an officer has left it, with what was done, in its timeline and in the audit log."""
    filing = replace(filing, version=filing.version + 1)
    work.filings.put(filing.filing_id, filing)
    work.filing_acts.append(
        FilingAct(
            filing_id=filing.filing_id,
            number=filing.version,
            kind=kind,
            actor=command.actor,
            acted_at=at,
            note=note,
        )
    )
    put_down(work, command, at, kind.value, ObjectKind.FILING, filing.filing_id, (f"act {filing.version}", note))


def _refusal(reason: FilingRefusal, detail: str | None = None, field: str | None = None) -> Refusal:
    return Refusal(reason=reason, detail=detail or _IN_WORDS[reason], field=field)
