"""A case: what people are asked to decide, what is known about it, and what they did. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from libs.common.record import Record, replace
from schemas.accounts.events import CustomerKind
from schemas.compliance.events import CaseConcern, CaseDecision, ScreeningOutcome
from schemas.payments.events import InternalReason, PaymentEvidence, PaymentOrder
from services.compliance.domain.people import SYSTEM as SYSTEM
from services.compliance.domain.people import Role
from services.compliance.matching.screening import SharedNumber, Verdict, numbers_shared
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.alerts import CaseAlert
from services.compliance.monitoring.parameters import Scenario

NOTE_LENGTH_MAX = 4_000


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    TAKEN = "taken"
    PROPOSED = "proposed"
    """One person has decided; another has to confirm."""
    RESOLVED = "resolved"
    CLOSED = "closed"
    """It ended without people: what it was about has settled itself."""


ENDED = frozenset({CaseStatus.RESOLVED, CaseStatus.CLOSED})


class ActKind(StrEnum):
    """What was done with a case."""

    OPENED = "opened"
    EVIDENCE_CHANGED = "evidence_changed"
    REOPENED = "reopened"
    TAKEN = "taken"
    TAKEN_OVER = "taken_over"
    RELEASED = "released"
    PROPOSED = "proposed"
    RETURNED = "returned"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    ASSIGNED = "assigned"
    NOTED = "noted"
    TASK_ADDED = "task_added"
    TASK_DONE = "task_done"
    FILE_ADDED = "file_added"
    PAYMENT_LINKED = "payment_linked"
    PAYMENT_UNLINKED = "payment_unlinked"
    SNOOZED = "snoozed"
    AWAKENED = "awakened"
    ESCALATED = "escalated"
    DATA_SUPPLIED = "data_supplied"
    """Somebody told what the travel rule asks for."""
    PAIR_PROPOSED = "pair_proposed"
    """Somebody says that a party is not the entry it resembles."""
    DOUBTED = "doubted"
    """A supervisor had it looked at once more."""


class CaseReason(StrEnum):
    """Why a customer is a case, or what is new about a payment. A payment's other reasons are those payments gives."""

    RESEMBLES_LISTED = "resembles_listed"
    LIST_CHANGED = "list_changed"
    MATCHER_CHANGED = "matcher_changed"
    NOT_SCREENABLE = "not_screenable"
    DOCUMENT_REFUSED = "document_refused"
    REVIEW_DUE = "review_due"
    """It is time to look at the customer again."""
    PAIR_ENDED = "pair_ended"
    """What two people had ruled out counts again."""
    FOUND_LATER = "found_later"
    """A party was found on a list after the payment had settled."""

    # What monitoring has raised: the names of its scenarios.
    STRUCTURING = "structuring"
    RAPID_MOVEMENT = "rapid_movement"
    FAN_IN = "fan_in"
    FAN_OUT = "fan_out"
    CYCLE = "cycle"
    DORMANCY = "dormancy"
    MIRRORED_AMOUNTS = "mirrored_amounts"
    OWN_MAXIMUM = "own_maximum"
    HIGH_RISK_COUNTRY = "high_risk_country"
    ROUND_AMOUNTS = "round_amounts"
    NEW_ACCOUNT = "new_account"
    CASH_REPORT = "cash_report"


_CONCERNS: Mapping[str, CaseConcern] = {
    InternalReason.FRAUD_REVIEW: CaseConcern.FRAUD,
    InternalReason.FRAUD_BLOCK: CaseConcern.FRAUD,
    InternalReason.COMPLIANCE_REVIEW: CaseConcern.SCREENING,
    InternalReason.COMPLIANCE_BLOCK: CaseConcern.SCREENING,
    **dict.fromkeys(CaseReason, CaseConcern.SCREENING),
    **dict.fromkeys(map(CaseReason, Scenario), CaseConcern.MONITORING),
    CaseReason.DOCUMENT_REFUSED: CaseConcern.OTHER,
    CaseReason.REVIEW_DUE: CaseConcern.OTHER,
}
"""By the reasons of a case."""
SCREENING_REASONS = tuple(str(reason) for reason, concern in _CONCERNS.items() if concern is CaseConcern.SCREENING)


class Proposal(Record):
    """What one person thinks should be done."""

    decision: CaseDecision
    proposed_by: str
    note: str
    proposed_at: datetime


class PaymentFacts(Record, omit_defaults=True):
    """What payments told about a suspended payment."""

    order: PaymentOrder
    reasons: tuple[InternalReason, ...]
    evidence: PaymentEvidence


class CustomerFacts(Record, omit_defaults=True):
    """What screening says about a customer."""

    kind: CustomerKind
    subject: Subject | None
    """None if its data came encrypted."""
    verdict: Verdict
    numbers: tuple[str, ...] = ()
    """The official numbers of documents that were accepted, as they are compared."""
    reasons: tuple[CaseReason, ...]

    @property
    def numbers_listed(self) -> tuple[SharedNumber, ...]:
        """Which of them entries have that are hit."""
        return numbers_shared(self.verdict.hits, self.numbers)


class Task(Record, omit_defaults=True):
    """Something to be done about a case."""

    number: int
    """Its place among the case's tasks, from 1."""
    title: str
    added_by: str
    done_by: str | None = None
    done_at: datetime | None = None


class CaseFile(Record, omit_defaults=True):
    """A file that was added to a case."""

    number: int
    """Its place among the case's files, from 1."""
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    added_by: str
    added_at: datetime


class LinkedPayment(Record):
    """One more payment that somebody has linked to a case: it belongs to what is looked into, and is not decided."""

    payment_id: str
    note: str
    """Why."""
    linked_by: str
    linked_at: datetime


class Rescreened(Record):
    """What screening said about a waiting payment when it found other than it had answered."""

    outcome: ScreeningOutcome
    reason: CaseReason


class Case(Record, omit_defaults=True):
    """What people are asked to decide. Exists from the first word about its payment or customer on."""

    case_id: str
    partition_key: str
    payment_id: str | None = None
    customer_id: str | None = None
    status: CaseStatus = CaseStatus.OPEN
    payment: PaymentFacts | None = None
    customer: CustomerFacts | None = None
    rescreened: Rescreened | None = None
    alerts: tuple[CaseAlert, ...] = ()
    """What monitoring has raised about the customer, the newest last. Such a case is about that alone."""
    catalogue_version: int = 0
    """The version of all lists that the payment's parties were last looked for in while it waited."""
    matcher_version: int = 0
    """The version of the matcher that they were last looked for by while it waited."""
    opened_at: datetime | None = None
    """None while nothing was ever asked: only that the payment has ended is known."""
    told_at: datetime | None = None
    """When payments told what is known: what it told before and comes later is news of the past."""
    decide_by: datetime | None = None
    waiting_since: datetime | None = None
    """When it was opened again, if it was: what its clock runs from then."""
    snoozed_until: datetime | None = None
    """When it comes back by itself."""
    escalated_to: Role | None = None
    """Who it is left to: this role or a higher one."""
    is_second_look: bool = False
    """Whether people look at it again without effect: what it was about has ended, and stays as it is."""
    tasks: tuple[Task, ...] = ()
    files: tuple[CaseFile, ...] = ()
    linked: tuple[LinkedPayment, ...] = ()
    taken_by: str | None = None
    proposal: Proposal | None = None
    decision: CaseDecision | None = None
    refused_at: datetime | None = None
    """When two people refused what it is about with effect; a second look refuses nothing, and takes nothing back."""
    ended_at: datetime | None = None
    is_payment_over: bool = False
    """Whether the payment has ended: a suspension that is told later is news of the past."""
    version: int = 0
    """Counts the acts: whoever acts on an older one has not seen what has happened since."""
    sequence: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def has_refused(self) -> bool:
        """Whether two people have refused what it is about: what they say when they look again changes nothing."""
        return self.refused_at is not None

    @property
    def clock_from(self) -> datetime | None:
        """What the time that people have for it runs from."""
        return self.waiting_since or self.opened_at

    @property
    def reasons(self) -> tuple[str, ...]:
        if self.payment is not None:
            news = (self.rescreened.reason.value,) if self.rescreened is not None else ()
            return (*(reason.value for reason in self.payment.reasons), *news)
        if self.alerts:
            return tuple(dict.fromkeys(alert.scenario.value for alert in self.alerts))
        return tuple(reason.value for reason in self.customer.reasons) if self.customer is not None else ()

    @property
    def concerns(self) -> tuple[CaseConcern, ...]:
        """What the people who decide have to judge, each concern once."""
        return tuple(dict.fromkeys(_CONCERNS.get(reason, CaseConcern.OTHER) for reason in self.reasons))

    @property
    def is_rejected_transfer(self) -> bool:
        """Whether a transfer was refused for what screening says of its parties: that is reported, a fraud is not."""
        return self.payment is not None and self.has_refused and CaseConcern.SCREENING in self.concerns

    @property
    def is_about_listed_party(self) -> bool:
        """Whether screening says that the money belongs to someone listed, so that nobody may approve."""
        if self.payment is not None:
            return self._is_newly_listed or self.payment.evidence.compliance_outcome == ScreeningOutcome.BLOCK
        return self.customer is not None and self.customer.verdict.outcome is ScreeningOutcome.BLOCK

    def may_end_in(self, decision: CaseDecision) -> bool:
        """Whether people may decide so.

        Payments blocks a listed party's money when people reject it, but only if it knows that the party is listed:
        else it would give the money back.
        """
        if decision is CaseDecision.APPROVE:
            return not self.is_about_listed_party and not self.missing_data
        is_known = self.payment is None or self.payment.evidence.compliance_outcome == ScreeningOutcome.BLOCK
        return decision is not CaseDecision.REJECT or is_known or not self._is_newly_listed

    @property
    def missing_data(self) -> tuple[str, ...]:
        """What the travel rule asks to be known about its parties, and is not: without it nobody may approve."""
        return self.payment.evidence.compliance_missing if self.payment is not None else ()

    @property
    def _is_newly_listed(self) -> bool:
        return self.rescreened is not None and self.rescreened.outcome is ScreeningOutcome.BLOCK


class Act(Record):
    """One thing that was done with a case. Never changed, never removed."""

    case_id: str
    number: int
    """Its place among the case's acts, from 1 without a gap."""
    kind: ActKind
    actor: str
    acted_at: datetime
    decision: CaseDecision | None = None
    note: str = ""
    taken_from: str | None = None
    """Who had the case before, if it was taken over."""


def act_of(
    case: Case,
    kind: ActKind,
    actor: str,
    at: datetime,
    *,
    decision: CaseDecision | None = None,
    note: str = "",
    taken_from: str | None = None,
) -> tuple[Case, Act]:
    """The case with one more act, and the act."""
    case = replace(case, version=case.version + 1)
    act = Act(
        case_id=case.case_id,
        number=case.version,
        kind=kind,
        actor=actor,
        acted_at=at,
        decision=decision,
        note=note,
        taken_from=taken_from,
    )
    return case, act
