"""What fraud publishes: its answers, the labels it learns from, and advisory snapshots of risk."""

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
DEBTOR_LABEL = Topic(
    name="fraud.debtor-label.v1",
    key="the account that paid",
    meaning="The same labels once more, for those who look at who paid.",
    is_restricted=True,
)
RISK = Topic(
    name="fraud.risk.v1",
    key="the account",
    meaning="How an account's payments turned out lately, paid or received: absolute, advisory snapshots.",
    is_restricted=True,
)

VERSION = Topic(
    name="fraud.version.v1",
    key="the version",
    meaning="Who brought which rulebook or model, tried it in the shadow, released it, took it back.",
    is_restricted=True,
)
LIST = Topic(
    name="fraud.list.v1",
    key="the account or device",
    meaning="Who put which account or device on which of fraud's lists, and took it off.",
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


class PartyRole(StrEnum):
    """Which side of payments an account is looked at on."""

    UNKNOWN = "unknown"
    DEBTOR = "debtor"
    CREDITOR = "creditor"


class VersionKind(StrEnum):
    """What there are versions of."""

    UNKNOWN = "unknown"
    RULEBOOK = "rulebook"
    MODEL = "model"


class VersionState(StrEnum):
    """What a version is used for."""

    UNKNOWN = "unknown"
    DRAFT = "draft"
    SHADOW = "shadow"
    LIVE = "live"
    RETIRED = "retired"


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
    debtor_snapshot_version: int | None = None
    creditor_snapshot_version: int | None = None
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


@event(topic=DEBTOR_LABEL, key="debtor_account_id", subject="debtor_account_id")
class DebtorPaymentLabelled(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    label: Label
    previous_label: Label | None = None
    transacted_at: datetime
    labelled_at: datetime


@event(topic=RISK, key="account_id", subject="party_id")
class PartyRiskUpdated(Event):
    party_id: str
    role: PartyRole
    account_id: str
    labelled_count: int
    fraud_count: int
    counterpart_count: int
    is_counterpart_count_exact: bool
    window_days: int
    version: int
    as_of: datetime


@event(topic=VERSION, key="version_id", subject="version_id")
class VersionAdded(Event):
    version_id: str
    kind: VersionKind
    version: str
    name: str
    added_by: str
    added_at: datetime


@event(topic=VERSION, key="version_id", subject="version_id")
class VersionMoved(Event):
    version_id: str
    kind: VersionKind
    version: str
    state: VersionState
    previous_state: VersionState
    moved_by: str
    reason: str
    moved_at: datetime


@event(topic=LIST, key="entity_id", subject="entry_id")
class ListEntryAdded(Event):
    entry_id: str
    entity_kind: str
    entity_id: str
    list_name: str
    reason: str
    added_by: str
    until: datetime | None = None
    added_at: datetime


@event(topic=LIST, key="entity_id", subject="entry_id")
class ListEntryRemoved(Event):
    entry_id: str
    entity_kind: str
    entity_id: str
    list_name: str
    reason: str
    removed_by: str
    removed_at: datetime
