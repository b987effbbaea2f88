"""What the desk's pages show of a case: words and figures, ready to be put into a template."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common import ids
from libs.common.record import Record
from schemas.compliance.events import CaseDecision
from schemas.payments.events import EncryptedPersonalData, Finding, InternalReason
from services.compliance.desk.alerts import AlertView, alert_views
from services.compliance.desk.country_words import country_in_words
from services.compliance.desk.parties import PartyView, customer_party, payment_parties
from services.compliance.desk.render import amount, moment, plain
from services.compliance.domain.case import (
    SYSTEM,
    Act,
    ActKind,
    Case,
    CaseFile,
    CaseReason,
    CaseStatus,
    LinkedPayment,
    Task,
)
from services.compliance.domain.meanings import word_of, words_of
from services.compliance.domain.priority import due_at, priority_of
from services.compliance.domain.work import ScreenedRole, Screening
from services.compliance.matching.owned import Ownership
from services.compliance.matching.screening import Hit
from services.compliance.monitoring_queries import ReadableAlerts
from services.compliance.search_queries import FoundPayment

SOON = timedelta(hours=24)


class Urgency(StrEnum):
    """How near a deadline is."""

    OVERDUE = "overdue"
    SOON = "soon"
    LATER = "later"


REASONS = {
    InternalReason.UNKNOWN: "Unknown",
    InternalReason.ANSWER_MISSING: "An answer is missing",
    InternalReason.FRAUD_REVIEW: "Suspicious",
    InternalReason.FRAUD_BLOCK: "Suspected fraud",
    InternalReason.COMPLIANCE_REVIEW: "Resembles a listed party",
    InternalReason.COMPLIANCE_BLOCK: "Listed party",
    InternalReason.FUNDS_DECLINED: "Funds declined",
    InternalReason.POSTING_REFUSED: "Money could not be moved",
    InternalReason.REVIEWER_REJECTED: "Rejected by reviewers",
    InternalReason.REVIEWER_BLOCKED: "Blocked by reviewers",
    InternalReason.REVIEW_TIMED_OUT: "Review timed out",
    InternalReason.PARTY_DATA_MISSING: "Data about the parties are missing",
    CaseReason.RESEMBLES_LISTED: "Resembles a listed party",
    CaseReason.LIST_CHANGED: "A list has changed",
    CaseReason.MATCHER_CHANGED: "Names are compared anew",
    CaseReason.NOT_SCREENABLE: "Could not be screened",
    CaseReason.PAIR_ENDED: "What was whitelisted counts again",
    CaseReason.DOCUMENT_REFUSED: "A document was not accepted",
    CaseReason.REVIEW_DUE: "Time to look at the customer again",
    CaseReason.FOUND_LATER: "Found after it had settled",
    CaseReason.STRUCTURING: "Cash just below what is reported",
    CaseReason.RAPID_MOVEMENT: "Money soon gone again",
    CaseReason.FAN_IN: "Many payers in a short time",
    CaseReason.FAN_OUT: "Many payees in a short time",
    CaseReason.CYCLE: "Money that came back",
    CaseReason.DORMANCY: "A large sum after a long rest",
    CaseReason.MIRRORED_AMOUNTS: "Amounts passed on as they came",
    CaseReason.OWN_MAXIMUM: "Far more than ever before",
    CaseReason.HIGH_RISK_COUNTRY: "Country on a FATF list",
    CaseReason.ROUND_AMOUNTS: "Many round amounts",
    CaseReason.NEW_ACCOUNT: "New customer, money only passes",
    CaseReason.CASH_REPORT: "Cash to be reported",
}
STATUSES = {
    CaseStatus.OPEN: "Open",
    CaseStatus.TAKEN: "In work",
    CaseStatus.PROPOSED: "Awaiting confirmation",
    CaseStatus.RESOLVED: "Decided",
    CaseStatus.CLOSED: "Closed",
}
ACTS = {
    ActKind.OPENED: "Opened",
    ActKind.EVIDENCE_CHANGED: "Evidence changed",
    ActKind.REOPENED: "Opened again",
    ActKind.TAKEN: "Taken",
    ActKind.TAKEN_OVER: "Taken over",
    ActKind.RELEASED: "Put back",
    ActKind.PROPOSED: "Proposed",
    ActKind.RETURNED: "Returned",
    ActKind.CONFIRMED: "Confirmed",
    ActKind.CLOSED: "Closed",
    ActKind.ASSIGNED: "Assigned",
    ActKind.NOTED: "Note",
    ActKind.TASK_ADDED: "Task",
    ActKind.TASK_DONE: "Task done",
    ActKind.FILE_ADDED: "File",
    ActKind.PAYMENT_LINKED: "Payment linked",
    ActKind.PAYMENT_UNLINKED: "Payment no longer linked",
    ActKind.SNOOZED: "Put off",
    ActKind.AWAKENED: "Back",
    ActKind.ESCALATED: "Passed up",
    ActKind.DATA_SUPPLIED: "Data supplied",
    ActKind.PAIR_PROPOSED: "Whitelisting proposed",
    ActKind.DOUBTED: "Looked at once more",
}


class CaseRow(Record):
    """A case in the queue."""

    case_id: str
    is_payment: bool
    title: str
    priority: str
    snoozed_until: datetime | None
    escalated_to: str | None
    is_second_look: bool
    amount: str
    reasons: tuple[str, ...]
    status: CaseStatus
    status_words: str
    taken_by: str | None
    age: str
    deadline: str
    urgency: Urgency
    decision: str | None
    decision_words: str
    """What people say for it."""
    ended_at: datetime | None


class FindingView(Record):
    source: str
    score_percent: int
    reason: str


class ActView(Record):
    """A line of the timeline."""

    what: str
    actor: str
    taken_from: str | None
    acted_at: datetime
    decision: str | None
    decision_words: str
    note: str


class LinkedView(Record):
    """A payment that somebody has linked to a case, with what is known of it."""

    payment_id: str
    note: str
    linked_by: str
    linked_at: datetime
    outcome: str | None
    """What screening answered; None if that is no longer kept."""
    settled_at: datetime | None
    case_id: str | None
    """Its own case, if people were asked about it."""


class CaseView(Record):
    """Everything on a case's page."""

    row: CaseRow
    version: int
    decide_by: datetime | None
    due_at: datetime | None
    tasks: tuple[Task, ...]
    files: tuple[CaseFile, ...]
    linked: tuple[LinkedView, ...]
    opened_at: datetime | None
    facts: tuple[tuple[str, str], ...]
    parties: tuple[PartyView, ...]
    is_screened: bool
    """Whether its parties were compared with the lists; without that, no hit means nothing."""
    fraud_outcome: str | None
    fraud_score_percent: int | None
    fraud_findings: tuple[FindingView, ...]
    compliance_outcome: str | None
    compliance_findings: tuple[FindingView, ...]
    """Shown where the screening itself is not known here."""
    funds_outcome: str | None
    alerts: tuple[AlertView, ...]
    """What monitoring has raised, the newest first."""
    acts: tuple[ActView, ...]
    is_listed: bool
    is_rejected_transfer: bool
    """Whether two people have refused the payment: a second look refuses nothing."""
    refused: tuple[CaseDecision, ...]
    """What may not be decided because of it."""
    proposal_decision: str | None
    proposal_words: str
    proposal_note: str
    proposed_by: str | None


def case_row(case: Case, now: datetime) -> CaseRow:
    """A case as a line of the queue."""
    return CaseRow(
        case_id=case.case_id,
        is_payment=case.payment is not None,
        title=_title(case),
        priority=priority_of(case).name,
        snoozed_until=case.snoozed_until,
        escalated_to=case.escalated_to and case.escalated_to.value,
        is_second_look=case.is_second_look,
        amount=_amount(case),
        reasons=tuple(reason_in_words(reason) for reason in case.reasons),
        status=case.status,
        status_words=STATUSES[case.status],
        taken_by=case.taken_by,
        age=span(now - case.clock_from) if case.clock_from else "",
        deadline=_deadline(case, now),
        urgency=_urgency(case, now),
        decision=case.decision and case.decision.value,
        decision_words=_said(case, case.decision),
        ended_at=case.ended_at,
    )


def case_view(
    case: Case,
    acts: list[Act],
    screening: Screening | None,
    alerts: ReadableAlerts,
    owned: Ownership,
    linked: Mapping[str, FoundPayment],
    now: datetime,
) -> CaseView:
    """A case as its page shows it; `owned` tells who owns what, `linked` what is known of linked payments."""
    evidence, words = case.payment.evidence if case.payment else None, words_of(case, acts)
    parties = payment_parties(case.payment.order, screening, owned) if case.payment else customer_party(case, owned)
    return CaseView(
        row=case_row(case, now),
        version=case.version,
        decide_by=None if case.is_second_look else case.decide_by,
        due_at=due_at(case),
        tasks=case.tasks,
        files=case.files,
        linked=tuple(_linked(one, linked.get(one.payment_id)) for one in case.linked),
        opened_at=case.opened_at,
        facts=_payment_facts(case) if case.payment else (),
        parties=parties,
        is_screened=case.payment is None or screening is not None,
        fraud_outcome=evidence.fraud_outcome if evidence else None,
        fraud_score_percent=_percent(evidence.fraud_score) if evidence and evidence.fraud_score is not None else None,
        fraud_findings=tuple(map(_finding, evidence.fraud_findings)) if evidence else (),
        compliance_outcome=compliance_outcome(case),
        compliance_findings=tuple(map(_finding, evidence.compliance_hits)) if evidence and screening is None else (),
        funds_outcome=evidence.funds_outcome if evidence else None,
        alerts=alert_views(alerts, reason_in_words),
        acts=tuple(_act(act, words.get(act.number, "")) for act in acts),
        is_listed=case.is_about_listed_party,
        is_rejected_transfer=case.is_rejected_transfer,
        refused=tuple(decision for decision in CaseDecision if not case.may_end_in(decision)),
        proposal_decision=case.proposal.decision.value if case.proposal else None,
        proposal_words=_said(case, case.proposal.decision) if case.proposal else "",
        proposal_note=case.proposal.note if case.proposal else "",
        proposed_by=case.proposal.proposed_by if case.proposal else None,
    )


def _linked(one: LinkedPayment, known: FoundPayment | None) -> LinkedView:
    return LinkedView(
        payment_id=one.payment_id,
        note=one.note,
        linked_by=one.linked_by,
        linked_at=one.linked_at,
        outcome=known.outcome.value if known else None,
        settled_at=known.settled_at if known else None,
        case_id=known.case_id if known else None,
    )


def customers_of(case: Case) -> dict[str, tuple[str, str]]:
    """The customers that a case is about, each with its role and its name."""
    if case.payment is None:
        return {case.customer_id: ("Customer", _title(case))} if case.customer_id else {}
    order = case.payment.order
    names = ("Encrypted", "Encrypted")
    if not isinstance(order.personal, EncryptedPersonalData):
        names = plain(order.personal.debtor.name), plain(order.personal.creditor.name)
    sides = (
        (order.debtor_customer_id, order.debtor_institution, ("Payer", names[0])),
        (order.creditor_customer_id, order.creditor_institution, ("Payee", names[1])),
    )
    return {customer_id: about for customer_id, held_by, about in sides if held_by is None and ids.is_id(customer_id)}


def export_facts(case: Case, screening: Screening | None) -> tuple[tuple[str, str], ...]:
    """What stands above all else where a case is read away from the desk."""
    facts = (
        ("Opened", case.opened_at and moment(case.opened_at)),
        ("Due", (due := due_at(case)) and moment(due)),
        ("Ended", case.ended_at and moment(case.ended_at)),
        ("Decision", _said(case, case.decision)),
        ("Proposed by", case.proposal and case.proposal.proposed_by),
        ("Worked on by", case.taken_by),
        ("Lists", screening and screening.lists_version),
        ("Acts", str(case.version)),
    )
    return tuple((label, value) for label, value in facts if value)


def amount_held(case: Case) -> str | None:
    """The amount of a payment whose money has not moved yet."""
    return None if case.payment is None or case.has_ended or case.is_second_look else _amount(case)


def alike_row(case: Case, now: datetime) -> tuple[CaseRow, int, str, str, str]:
    """A case among others like it: with its version, and what is proposed, in what words, and by whom."""
    proposal = case.proposal
    if proposal is None:
        return (case_row(case, now), case.version, "", "", "")
    words = word_of(case, proposal.decision)
    return (case_row(case, now), case.version, proposal.decision.value, words, proposal.proposed_by)


def listed_parties(screened: Sequence[ScreenedRole]) -> list[tuple[str, Hit]]:
    """Each party that resembles someone listed, with its strongest hit."""
    found = [(role.subject, role.verdict.hits[0]) for role in screened if role.verdict.hits]
    return [(subject.name if subject else "Encrypted", hit) for subject, hit in found]


def _title(case: Case) -> str:
    if case.payment is not None:
        personal = case.payment.order.personal
        if isinstance(personal, EncryptedPersonalData):
            return "Encrypted parties"
        return f"{plain(personal.debtor.name)} → {plain(personal.creditor.name)}"
    if case.customer is None:
        return "Unknown customer"
    return plain(case.customer.subject.name) if case.customer.subject else "Encrypted customer"


def _said(case: Case, decision: CaseDecision | None) -> str:
    return word_of(case, decision) if decision else ""


def _amount(case: Case) -> str:
    if case.payment is None:
        return ""
    return amount(case.payment.order.amount_minor, case.payment.order.currency)


def reason_in_words(reason: str) -> str:
    """Why a case is one, or what a scenario looks for, as a person reads it."""
    for kind in (InternalReason, CaseReason):
        if reason in set(kind):
            return REASONS[kind(reason)]
    return reason


def _deadline(case: Case, now: datetime) -> str:
    due = due_at(case)
    if due is None or case.has_ended:
        return ""
    left = due - now
    return f"in {span(left)}" if left >= timedelta(0) else f"{span(-left)} ago"


def _urgency(case: Case, now: datetime) -> Urgency:
    due = due_at(case)
    if due is None or case.has_ended:
        return Urgency.LATER
    if due <= now:
        return Urgency.OVERDUE
    return Urgency.SOON if due - now <= SOON else Urgency.LATER


def span(length: timedelta) -> str:
    """A length of time in its two largest units that matter: "3 d 4 h", "12 min"."""
    minutes = max(int(length.total_seconds()), 0) // 60
    days, hours = minutes // 1_440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


# The payment, findings, acts


def _payment_facts(case: Case) -> tuple[tuple[str, str], ...]:
    assert case.payment is not None
    order = case.payment.order
    reference = None if isinstance(order.personal, EncryptedPersonalData) else order.personal.reference
    facts = (
        ("Amount", _amount(case)),
        ("Reference", reference or ""),
        ("Channel", order.channel.value),
        ("Cash", "yes" if order.is_cash else ""),
        ("Purpose", order.purpose or ""),
        ("Device", order.device_id or ""),
        ("Ordered from", country_in_words(order.ip_country) if order.ip_country else ""),
        ("Ordered at", order.instructed_at.strftime("%-d %b %Y, %H:%M UTC")),
        ("Client", order.client_id),
        ("Payment", case.payment_id or ""),
    )
    return tuple((label, value) for label, value in facts if value)


def compliance_outcome(case: Case) -> str | None:
    if case.rescreened is not None:
        return case.rescreened.outcome.value
    if case.payment is not None:
        return case.payment.evidence.compliance_outcome
    return case.customer.verdict.outcome.value if case.customer else None


def _finding(finding: Finding) -> FindingView:
    return FindingView(source=finding.source, score_percent=_percent(finding.score), reason=finding.reason)


def _act(act: Act, decision_words: str) -> ActView:
    is_ours = act.actor == SYSTEM
    return ActView(
        what=ACTS[act.kind],
        actor="Weir" if is_ours else act.actor,
        taken_from=act.taken_from,
        acted_at=act.acted_at,
        decision=act.decision and act.decision.value,
        decision_words=decision_words,
        note=_CODE.sub(lambda code: reason_in_words(code[0]), act.note) if is_ours else act.note,
    )


_CODE = re.compile(
    "|".join(sorted((reason.value for reason in REASONS if reason.value != "unknown"), key=len, reverse=True))
)


def _percent(share: float) -> int:
    return round(share * 100)
