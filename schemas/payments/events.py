"""What payments publishes: the life of a payment, and what only reviewers may know about it."""

from datetime import datetime
from enum import StrEnum

from libs.common.events import UNION_TAG, Event, Topic, event
from libs.common.personal_data import Encrypted
from libs.common.record import Record

PAYMENT = Topic(
    name="payments.payment.v1",
    key="the account that pays",
    meaning="The life of every payment, from the order to its one end, in words that a client may see.",
)
REVIEW = Topic(
    name="payments.review.v1",
    key="the account that pays",
    meaning="Why payments are held up or refused: evidence for those who review them.",
    is_restricted=True,
)
REFUND = Topic(
    name="payments.refund.v1",
    key="the account that had paid",
    meaning="Money of settled payments that is given back, from the request to its end.",
)


class Channel(StrEnum):
    UNKNOWN = "unknown"
    API = "api"
    BRANCH = "branch"
    CARD = "card"
    FILE = "file"
    MOBILE = "mobile"
    WEB = "web"


class Answer(StrEnum):
    """What payments asks others about a payment."""

    UNKNOWN = "unknown"
    FRAUD = "fraud"
    COMPLIANCE = "compliance"
    HOLD = "hold"
    POSTING = "posting"
    BLOCKING = "blocking"


class PublicReason(StrEnum):
    """Why a payment was refused, as far as a client may know."""

    UNKNOWN = "unknown"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    DEBTOR_ACCOUNT_UNAVAILABLE = "debtor_account_unavailable"
    CREDITOR_ACCOUNT_UNAVAILABLE = "creditor_account_unavailable"
    CURRENCY_NOT_HELD = "currency_not_held"
    DECLINED = "declined"
    NOT_COMPLETED_IN_TIME = "not_completed_in_time"


class InternalReason(StrEnum):
    """Why a payment was held up or refused, for those who may know."""

    UNKNOWN = "unknown"
    ANSWER_MISSING = "answer_missing"
    FRAUD_REVIEW = "fraud_review"
    FRAUD_BLOCK = "fraud_block"
    COMPLIANCE_REVIEW = "compliance_review"
    COMPLIANCE_BLOCK = "compliance_block"
    FUNDS_DECLINED = "funds_declined"
    POSTING_REFUSED = "posting_refused"
    REVIEWER_REJECTED = "reviewer_rejected"
    REVIEWER_BLOCKED = "reviewer_blocked"
    REVIEW_TIMED_OUT = "review_timed_out"
    PARTY_DATA_MISSING = "party_data_missing"
    """The law asks for data about the parties that are not there: it goes on by itself once they are."""


class PartyKind(StrEnum):
    UNKNOWN = "unknown"
    PERSON = "person"
    COMPANY = "company"


class Party(Record):
    name: str
    country: str | None = None
    birth_date: str | None = None
    address: str | None = None
    kind: PartyKind = PartyKind.UNKNOWN
    account_number: str | None = None
    birth_place: str | None = None
    document_number: str | None = None
    customer_number: str | None = None


class PaymentPersonalData(Record, tag_field=UNION_TAG, tag="weir.payments.PaymentPersonalData"):
    debtor: Party
    creditor: Party
    reference: str | None = None


class EncryptedPersonalData(Encrypted, tag_field=UNION_TAG, tag="weir.payments.EncryptedPersonalData"):
    """See libs/common/personal_data.py."""


class Institution(Record):
    """Where a party's account is held, if not with us."""

    name: str | None = None
    country: str | None = None
    lei: str | None = None
    is_self_hosted: bool = False


class PaymentOrder(Record):
    client_id: str
    debtor_account_id: str
    creditor_account_id: str
    debtor_customer_id: str
    creditor_customer_id: str
    amount_minor: int
    currency: str
    fee_minor: int = 0
    channel: Channel
    is_cash: bool = False
    device_id: str | None = None
    ip_country: str | None = None
    purpose: str | None = None
    instructed_at: datetime
    personal: PaymentPersonalData | EncryptedPersonalData
    debtor_institution: Institution | None = None
    creditor_institution: Institution | None = None


@event(topic=PAYMENT, key="order.debtor_account_id", subject="payment_id")
class PaymentInitiated(Event):
    payment_id: str
    order: PaymentOrder
    batch_id: str | None = None
    initiated_at: datetime


@event(topic=PAYMENT, key="order.debtor_account_id", subject="payment_id")
class PaymentDataSupplied(Event):
    payment_id: str
    order: PaymentOrder
    supplied_at: datetime


@event(topic=PAYMENT, key="order.debtor_account_id", subject="payment_id")
class PaymentAnswerOverdue(Event):
    payment_id: str
    order: PaymentOrder
    awaited: tuple[Answer, ...]
    approved_amount_minor: int | None = None
    approved_fee_minor: int | None = None
    approved_at: datetime | None = None
    overdue_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id")
class PaymentAuthorised(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    fee_minor: int = 0
    capture_by: datetime
    authorised_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id")
class PaymentApproved(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    fee_minor: int = 0
    approved_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id")
class PaymentBlockRequested(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    requested_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id")
class PaymentReleaseRequested(Event):
    payment_id: str
    debtor_account_id: str
    requested_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id", is_end=True)
class PaymentSettled(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    debtor_customer_id: str = ""
    creditor_customer_id: str = ""
    amount_minor: int
    currency: str
    fee_minor: int = 0
    is_cash: bool = False
    instructed_at: datetime | None = None
    transfer_id: str
    settled_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id", is_end=True)
class PaymentRejected(Event):
    payment_id: str
    debtor_account_id: str
    reason: PublicReason
    rejected_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id", is_end=True)
class PaymentCancelled(Event):
    payment_id: str
    debtor_account_id: str
    cancelled_at: datetime


@event(topic=PAYMENT, key="debtor_account_id", subject="payment_id", is_end=True)
class PaymentBlocked(Event):
    payment_id: str
    debtor_account_id: str
    amount_minor: int
    currency: str
    transfer_id: str
    blocked_at: datetime


class Finding(Record):
    source: str
    score: float
    reason: str


class PaymentEvidence(Record):
    fraud_outcome: str | None = None
    fraud_score: float | None = None
    fraud_findings: tuple[Finding, ...] = ()
    compliance_outcome: str | None = None
    compliance_hits: tuple[Finding, ...] = ()
    compliance_missing: tuple[str, ...] = ()
    funds_outcome: str | None = None


@event(topic=REVIEW, key="order.debtor_account_id", subject="payment_id")
class PaymentSuspended(Event):
    payment_id: str
    order: PaymentOrder
    reasons: tuple[InternalReason, ...]
    evidence: PaymentEvidence
    decide_by: datetime
    suspended_at: datetime


@event(topic=REVIEW, key="debtor_account_id", subject="payment_id")
class PaymentResumed(Event):
    payment_id: str
    debtor_account_id: str
    resumed_at: datetime


@event(topic=REVIEW, key="debtor_account_id", subject="payment_id")
class PaymentRefusalExplained(Event):
    payment_id: str
    debtor_account_id: str
    reason: InternalReason
    evidence: PaymentEvidence
    explained_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id")
class RefundRequested(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    requested_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id")
class RefundAnswerOverdue(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    overdue_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id", is_end=True)
class RefundSettled(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    debtor_customer_id: str = ""
    creditor_customer_id: str = ""
    amount_minor: int
    currency: str
    transfer_id: str
    settled_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id", is_end=True)
class RefundRejected(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    reason: PublicReason
    rejected_at: datetime
