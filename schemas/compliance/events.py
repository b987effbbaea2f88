"""What compliance publishes: its answers, its cases, and what it thinks of customers."""

from datetime import datetime
from enum import StrEnum

from libs.common.events import Event, Topic, event
from libs.common.record import Record

SCREENING = Topic(
    name="compliance.screening.v1",
    key="the account that pays",
    meaning="Whether a payment is allowed, and which listed parties it resembles.",
    is_restricted=True,
)
CASE = Topic(
    name="compliance.case.v1",
    key="the account that pays, or the customer",
    meaning="What people are asked to decide, and what they decided.",
    is_restricted=True,
)
CUSTOMER_CHECK = Topic(
    name="compliance.customer.v1",
    key="the customer",
    meaning="Whether a customer may be served, and how far.",
    is_restricted=True,
)


class ScreeningOutcome(StrEnum):
    UNKNOWN = "unknown"
    CLEAR = "clear"
    REVIEW = "review"
    BLOCK = "block"
    INCOMPLETE = "incomplete"
    """Nothing was found, but the law asks for data about the parties that are not there."""


class PartyRole(StrEnum):
    UNKNOWN = "unknown"
    DEBTOR = "debtor"
    CREDITOR = "creditor"


class UnscreenableReason(StrEnum):
    """Why a party could not be compared with any list."""

    UNKNOWN = "unknown"
    ENCRYPTED = "encrypted"
    NAME_UNREADABLE = "name_unreadable"


class CaseDecision(StrEnum):
    UNKNOWN = "unknown"
    APPROVE = "approve"
    REJECT = "reject"
    BLOCK = "block"


class CaseConcern(StrEnum):
    """What a case is about."""

    UNKNOWN = "unknown"
    FRAUD = "fraud"
    SCREENING = "screening"
    """Someone resembles a listed party, or could not be compared."""
    OTHER = "other"
    MONITORING = "monitoring"
    """What a customer's money has done looks suspicious, or must be reported."""


class ScreeningHit(Record):
    role: PartyRole
    list_name: str
    entity_id: str
    listed_name: str
    score: float
    explanation: str


@event(topic=SCREENING, key="debtor_account_id", subject="payment_id")
class ComplianceScreened(Event):
    payment_id: str
    debtor_account_id: str
    outcome: ScreeningOutcome
    hits: tuple[ScreeningHit, ...] = ()
    unscreenable: tuple[UnscreenableReason, ...] = ()
    missing: tuple[str, ...] = ()
    lists_version: str
    screened_at: datetime


@event(topic=CASE, key="partition_key", subject="case_id")
class CaseOpened(Event):
    case_id: str
    partition_key: str
    payment_id: str | None = None
    customer_id: str | None = None
    opened_at: datetime


@event(topic=CASE, key="partition_key", subject="case_id")
class CaseTaken(Event):
    case_id: str
    partition_key: str
    payment_id: str | None = None
    customer_id: str | None = None
    taken_by: str
    taken_at: datetime


@event(topic=CASE, key="partition_key", subject="case_id")
class CaseResolved(Event):
    case_id: str
    partition_key: str
    payment_id: str | None = None
    customer_id: str | None = None
    decision: CaseDecision
    concerns: tuple[CaseConcern, ...] = ()
    proposed_by: str
    confirmed_by: str
    evidence_at: datetime | None = None
    resolved_at: datetime


@event(topic=CUSTOMER_CHECK, key="customer_id", subject="customer_id")
class CustomerVerified(Event):
    customer_id: str
    tier: int
    verified_at: datetime


@event(topic=CUSTOMER_CHECK, key="customer_id", subject="customer_id")
class CustomerRefused(Event):
    customer_id: str
    is_listed: bool = False
    refused_at: datetime


@event(topic=CUSTOMER_CHECK, key="customer_id", subject="customer_id")
class CustomerRestricted(Event):
    customer_id: str
    restricted_at: datetime
