"""A suspicious activity report, FinCEN Form 111, as the XML that the e-filing system takes. Pure.

EFilingBatchXML ─ Activity ─┬─ who files, where it happened, whom to ask
                            ├─ Party 33: each subject, with its accounts
                            ├─ SuspiciousActivity: when, how much, of what kinds
                            └─ the narrative, in up to five parts
"""

from datetime import date
from enum import StrEnum
from xml.etree.ElementTree import Element

from libs.common.record import Record
from services.compliance.filings.efiling import (
    Form,
    IdentificationKind,
    Institution,
    PartyCode,
    Person,
    begin,
    day_text,
    dollars_text,
    line,
    put,
    put_birth_date,
    written,
)
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.narrative import parts_of

SUBJECTS_MAX = 200
ACTIVITIES_MAX = 99
ACCOUNTS_MAX = 99
ALIASES_MAX = 99
DOCUMENTS_MAX = 99


class SuspiciousKind(StrEnum):
    """What an activity is suspected of: the kinds that payments show, each under FinCEN's numbers."""

    BELOW_CTR_THRESHOLD = "114"
    BELOW_RECORDKEEPING_THRESHOLD = "113"
    ALTERS_TO_AVOID_CTR = "112"
    CARD_FRAUD = "305"
    ACH_FRAUD = "320"
    ADVANCE_FEE = "322"
    WIRE_FRAUD = "312"
    OTHER_FRAUD = "3999"
    FALSE_DOCUMENTATION = "403"
    MULTIPLE_IDENTITIES = "405"
    SUSPECTED_TERRORIST = "701"
    EFT_TRANSFERS = "805"
    MULTIPLE_ACCOUNTS = "807"
    STRAW_MAN = "809"
    OUT_OF_PATTERN = "812"
    SOURCE_OF_FUNDS = "821"
    FUNNEL_ACCOUNT = "824"
    OTHER_LAUNDERING = "8999"
    IDENTITY_THEFT = "905"
    MULTIPLE_LOCATIONS = "910"
    WORKING_TOGETHER = "911"
    ACCOUNT_TAKEOVER = "920"
    ELDER_EXPLOITATION = "921"
    NO_APPARENT_PURPOSE = "925"
    HUMAN_TRAFFICKING = "927"
    HIGH_RISK_JURISDICTION = "928"
    OTHER = "9999"


class Suspicion(Record):
    """One kind of suspicious activity."""

    kind: SuspiciousKind
    other: str | None = None
    """What it is, where no kind says it."""


class SarReport(Record):
    """All that a report says, but for who files it and when."""

    subjects: tuple[Person, ...]
    """None: one party of which nothing is known."""
    suspicions: tuple[Suspicion, ...]
    began_on: date
    ended_on: date
    dollars: int | None
    """Involved in all, whole dollars; None if that is not known."""
    cumulative_dollars: int | None = None
    """For an activity that goes on: all reported so far, with this."""
    narrative: str
    prior_document_number: int | None = None
    """Of the report that this one continues."""
    prior_filed_on: date | None = None
    """When that one was filed: the deadline counts from then."""


def write_sar(report: SarReport, institution: Institution, filed_on: date) -> bytes:
    """The report as a file for the e-filing system. Raises FilingFault, which names what is missing or too long."""
    _require_sound(report, filed_on)
    narrative = parts_of(report.narrative)
    root = begin(
        "SARX",
        TotalAmount=report.dollars or 0,
        PartyCount=max(1, len(report.subjects)),
        ActivityCount=1,
        ActivityAttachmentCount=0,
        AttachmentCount=0,
    )
    form = Form()
    activity = form.add(root, "Activity")
    if report.prior_document_number is not None:
        put(activity, "EFilingPriorDocumentNumber", str(report.prior_document_number))
    put(activity, "FilingDateText", day_text(filed_on))
    association = form.add(activity, "ActivityAssociation")
    is_first = report.prior_document_number is None
    put(association, "InitialReportIndicator" if is_first else "ContinuingActivityReportIndicator", "Y")
    form.filers(activity, institution)
    for number, subject in enumerate(report.subjects):
        _put_subject(form, activity, subject, institution, f"subjects.{number}")
    if not report.subjects:
        form.party(activity, PartyCode.SUBJECT, indicators=["AllCriticalSubjectInformationUnavailableIndicator"])
    _put_suspicious_activity(form, activity, report)
    for number, part in enumerate(narrative, start=1):
        told = form.add(activity, "ActivityNarrativeInformation")
        put(told, "ActivityNarrativeSequenceNumber", str(number))
        put(told, "ActivityNarrativeText", part)
    return written(root)


def _require_sound(report: SarReport, filed_on: date) -> None:
    if not report.suspicions:
        raise FilingFault("suspicions", "are missing: at least one kind of suspicious activity")
    if len(report.suspicions) > ACTIVITIES_MAX:
        raise FilingFault("suspicions", f"are {len(report.suspicions)}; the form takes {ACTIVITIES_MAX}")
    kinds = [suspicion.kind for suspicion in report.suspicions]
    if len(kinds) != len(set(kinds)):
        raise FilingFault("suspicions", "name a kind twice")
    if len(report.subjects) > SUBJECTS_MAX:
        raise FilingFault("subjects", f"are {len(report.subjects)}; a report here takes {SUBJECTS_MAX}")
    if report.ended_on < report.began_on:
        raise FilingFault("ended_on", "lies before the day it began")
    if filed_on < report.ended_on:
        raise FilingFault("filed_on", "lies before the end of the activity")


def _put_subject(form: Form, activity: Element, subject: Person, institution: Institution, field: str) -> None:
    party = form.party(activity, PartyCode.SUBJECT)
    put_birth_date(party, subject, field)
    if not subject.accounts:
        put(party, "NoKnownAccountInvolvedIndicator", "Y")
    if subject.is_entity:
        put(party, "PartyAsEntityOrganizationIndicator", "Y")
    else:
        put(party, "UnknownGenderIndicator", "Y")
    form.describe(party, subject, field, aliases_max=ALIASES_MAX, documents_max=DOCUMENTS_MAX)
    association = form.add(party, "PartyAssociation")
    put(association, "CustomerIndicator" if subject.is_customer else "NoRelationshipToInstitutionIndicator", "Y")
    if subject.is_customer:
        put(association, "RelationshipContinuesIndicator", "Y")
        put(association, "SubjectRelationshipFinancialInstitutionTINText", line(institution.tin, 25, "institution.tin"))
    _put_accounts(form, party, subject.accounts, institution, field)


def _put_accounts(form: Form, party: Element, accounts: tuple[str, ...], institution: Institution, field: str) -> None:
    if not accounts:
        return
    if len(accounts) > ACCOUNTS_MAX:
        raise FilingFault(f"{field}.accounts", f"are {len(accounts)}; the form takes {ACCOUNTS_MAX}")
    association = form.add(party, "PartyAccountAssociation")
    put(association, "PartyAccountAssociationTypeCode", "5")
    holder = form.party(association, PartyCode.INSTITUTION_OF_ACCOUNT)
    identified = form.add(holder, "PartyIdentification")
    put(identified, "PartyIdentificationNumberText", line(institution.tin, 25, "institution.tin"))
    put(identified, "PartyIdentificationTypeCode", IdentificationKind.TIN)
    for account in accounts:
        held = form.add(holder, "Account")
        put(held, "AccountNumberText", line(account, 40, f"{field}.accounts"))
        put(form.add(held, "PartyAccountAssociation"), "PartyAccountAssociationTypeCode", "7")


def _put_suspicious_activity(form: Form, activity: Element, report: SarReport) -> None:
    suspicious = form.add(activity, "SuspiciousActivity")
    if report.dollars is None:
        put(suspicious, "AmountUnknownIndicator", "Y")
    if report.cumulative_dollars is not None:
        text = dollars_text(report.cumulative_dollars, "cumulative_dollars")
        put(suspicious, "CumulativeTotalViolationAmountText", text)
    put(suspicious, "SuspiciousActivityFromDateText", day_text(report.began_on))
    put(suspicious, "SuspiciousActivityToDateText", day_text(report.ended_on))
    if report.dollars is not None:
        put(suspicious, "TotalSuspiciousAmountText", dollars_text(report.dollars, "dollars"))
    for number, suspicion in enumerate(report.suspicions):
        classified = form.add(suspicious, "SuspiciousActivityClassification")
        if suspicion.kind.endswith("999"):
            other = line(suspicion.other or "", 50, f"suspicions.{number}.other")
            put(classified, "OtherSuspiciousActivityTypeText", other)
        put(classified, "SuspiciousActivitySubtypeID", suspicion.kind)
        # A kind's number begins with that of its type.
        put(classified, "SuspiciousActivityTypeID", suspicion.kind[0])
