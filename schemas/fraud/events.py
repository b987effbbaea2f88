"""What fraud publishes: its answers, the labels it learns from, and advisory risk snapshots."""

from datetime import datetime
from enum import StrEnum

from libs.common.events import Event, Topic, event
from libs.common.record import Record

ASSESSMENT = Topic(
    name="fraud.assessment.v1",
    key="the account that pays",
    meaning="Whether a payment is suspicious, and why.",
    is_restricted=True,
)
LABEL = Topic(
    name="fraud.label.v1",
    key="the account that was paid",
    meaning="What payments turned out to be, as reported later: fraud or genuine.",
    is_restricted=True,
)
RISK = Topic(
    name="fraud.risk.v1",
    key="the account that was paid",
    meaning="How often what an account received turned out to be fraud: absolute, advisory snapshots.",
    is_restricted=True,
)


class FraudOutcome(StrEnum):
    UNKNOWN = "unknown"
    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


class Label(StrEnum):
    UNKNOWN = "unknown"
    FRAUD = "fraud"
    GENUINE = "genuine"


class FraudFinding(Record):
    rule: str
    score: float
    reason: str


@event(topic=ASSESSMENT, key="debtor_account_id", subject="payment_id")
class FraudAssessed(Event):
    payment_id: str
    debtor_account_id: str
    outcome: FraudOutcome
    score: float
    findings: tuple[FraudFinding, ...] = ()
    rules_version: str
    model_version: str | None = None
    model_score: float | None = None
    assessed_at: datetime


@event(topic=LABEL, key="creditor_account_id", subject="creditor_account_id")
class PaymentLabelled(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    label: Label
    previous_label: Label | None = None
    scenario: str | None = None
    transacted_at: datetime
    labelled_at: datetime


@event(topic=RISK, key="creditor_account_id", subject="creditor_account_id")
class CreditorRiskUpdated(Event):
    creditor_account_id: str
    labelled_count: int
    fraud_count: int
    window_days: int
    version: int
    as_of: datetime
