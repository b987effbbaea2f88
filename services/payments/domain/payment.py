"""A payment and all that is known about it. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common.personal_data import READABLE, Keys
from libs.common.record import Record, replace
from libs.common.state import Aggregates, Journal, Numbered, State
from schemas.accounts.events import DeclineReason
from schemas.compliance.events import CaseDecision, ScreeningHit, ScreeningOutcome
from schemas.fraud.events import FraudFinding, FraudOutcome
from schemas.payments.events import (
    PAYMENT,
    REFUND,
    REVIEW,
    Finding,
    InternalReason,
    PaymentEvidence,
    PaymentOrder,
    PublicReason,
)
from services.payments.domain.fees import FeeSchedule
from services.payments.domain.quota import DefaultQuotas, Quota
from services.payments.domain.refund import Refund


class PaymentState(StrEnum):
    """Where a payment stands. Everything before the ends has a deadline."""

    INITIATED = "initiated"
    SUSPENDED = "suspended"
    AUTHORISED = "authorised"
    APPROVED = "approved"
    BLOCKING = "blocking"
    SETTLED = "settled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


ENDS = frozenset({PaymentState.SETTLED, PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.BLOCKED})


class Capture(StrEnum):
    """Who says that the money of a payment is taken when all is well with it."""

    AUTOMATIC = "automatic"
    """Nobody: it is taken at once, and all of it."""
    MANUAL = "manual"
    """Its client, who may take less."""


STEPS_MAX = 100
"""Lines of a timeline: asking again for a month must not grow a row without bound."""


class Policy(Record):
    """How long payments waits for what."""

    ask_again_after: timedelta
    suspend_after: timedelta
    review_within: timedelta
    capture_within: timedelta


class Assessment(Record, omit_defaults=True):
    """Fraud's answer."""

    outcome: FraudOutcome
    score: float
    findings: tuple[FraudFinding, ...] = ()


class Screening(Record, omit_defaults=True):
    """Compliance's answer."""

    outcome: ScreeningOutcome
    screened_at: datetime
    hits: tuple[ScreeningHit, ...] = ()
    missing: tuple[str, ...] = ()
    """Data about the parties that the law asks for and that are not there, as `debtor.address`."""


class Funds(Record, omit_defaults=True):
    """Accounts' answer: held, unless there is a reason why not."""

    decline_reason: DeclineReason | None = None


class Charge(Record):
    """What a payer pays, in minor units: an amount, and the fee on top of it."""

    amount_minor: int
    fee_minor: int


class Step(Record, omit_defaults=True, array_like=True):
    """A line of a payment's timeline."""

    at: datetime
    what: str
    detail: str = ""
    is_internal: bool = False
    """Whether only staff may see it."""


class Payment(Record, omit_defaults=True):
    payment_id: str
    order: PaymentOrder
    batch_id: str | None = None
    line_number: int | None = None
    capture: Capture = Capture.AUTOMATIC
    state: PaymentState = PaymentState.INITIATED
    assessment: Assessment | None = None
    screening: Screening | None = None
    funds: Funds | None = None
    reasons: tuple[InternalReason, ...] = ()
    """Why it is suspended."""
    alarmed_at: datetime | None = None
    """When the newest of the reasons that ask for a person became known; once told, when that was."""
    told_at: datetime | None = None
    """When whoever decides was last told what is known, or that nothing is to be decided any more."""
    told: tuple[str, ...] = ()
    """What its client has told of the data that were missing, as `debtor.address`."""
    is_case_taken: bool = False
    """Whether a person works on its case: then it no longer moves by itself."""
    resolution: CaseDecision | None = None
    is_cancel_requested: bool = False
    capture_by: datetime | None = None
    """Until when its client may capture it, once it has been authorised: it is told so once."""
    captured: Charge | None = None
    """What its client wants taken of what is held."""
    settled: Charge | None = None
    """What has reached the creditor, and the house."""
    refunded_minor: int = 0
    """What its refunds come to, in minor units, those that were rejected apart."""
    refund_count: int = 0
    rejected_refund_count: int = 0
    """How many of them were rejected."""
    public_reason: PublicReason | None = None
    internal_reason: InternalReason | None = None
    transfer_id: str | None = None
    entered_at: datetime
    """When it got into its state."""
    deadline_step: int = 0
    deadline_at: datetime | None = None
    check_at: datetime | None = None
    """When the sweep looks at it next: never later than its deadline, and left alone as long as that holds."""
    initiated_at: datetime
    ended_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    sequence: int = 0
    review_sequence: int = 0

    @property
    def has_ended(self) -> bool:
        return self.state in ENDS

    @property
    def may_change_course(self) -> bool:
        """Whether what becomes known now can still decide what becomes of its money."""
        return not self.has_ended and self.state is not PaymentState.BLOCKING

    @property
    def charge(self) -> Charge:
        """What is to be taken of what is held: all, unless its client wants less."""
        return self.captured or Charge(amount_minor=self.order.amount_minor, fee_minor=self.order.fee_minor)

    def awaits_capture(self, at: datetime) -> bool:
        """Whether, for all its client knows, that client may say now how much to take."""
        is_decided = self.captured is not None or self.is_cancel_requested or self.has_ended
        return self.capture_by is not None and at < self.capture_by and not is_decided

    @property
    def is_beyond_recall(self) -> bool:
        """Whether it has been captured or approved once: from then on it can't be withdrawn, whatever happens to it
        meanwhile, or the answer would tell its client that something has."""
        return self.captured is not None or any(step.what == "approved" for step in self.steps)

    @property
    def is_posting_refused(self) -> bool:
        """Whether it waits, or waited, for people because it was approved and its money could not be moved."""
        return InternalReason.POSTING_REFUSED in self.reasons

    @property
    def was_approved(self) -> bool:
        """Whether its client has already seen that all was well with it."""
        return self.is_posting_refused or self.capture_by is not None

    @property
    def is_listed(self) -> bool:
        """Whether its money belongs to a listed party."""
        return self.screening is not None and self.screening.outcome is ScreeningOutcome.BLOCK

    @property
    def missing_data(self) -> tuple[str, ...]:
        """What is still to be told about its parties before it may go on."""
        return self.screening.missing if self.screening is not None else ()

    @property
    def is_funded(self) -> bool:
        """Whether its money is set aside."""
        return self.funds is not None and self.funds.decline_reason is None

    @property
    def is_unfunded(self) -> bool:
        """Whether it is certain that its money is not to be had."""
        return self.funds is not None and self.funds.decline_reason is not None

    @property
    def evidence(self) -> PaymentEvidence:
        """What is known, for whoever reviews it."""
        assessment, screening, funds = self.assessment, self.screening, self.funds
        return PaymentEvidence(
            fraud_outcome=assessment.outcome.value if assessment else None,
            fraud_score=assessment.score if assessment else None,
            fraud_findings=tuple(map(_fraud_finding, assessment.findings)) if assessment else (),
            compliance_outcome=screening.outcome.value if screening else None,
            compliance_hits=tuple(map(_hit_finding, screening.hits)) if screening else (),
            compliance_missing=self.missing_data,
            funds_outcome=(funds.decline_reason or "held") if funds else None,
        )

    def saw(self, at: datetime, what: str, detail: str = "", *, is_internal: bool = False) -> "Payment":
        """The same payment with one more line in its timeline. In a full one the newest internal line makes room: what
        its client sees must not hang on how often others were asked."""
        step, steps = Step(at=at, what=what, detail=detail, is_internal=is_internal), self.steps
        if len(steps) >= STEPS_MAX:
            places = reversed(range(len(steps)))
            place = next((place for place in places if steps[place].is_internal), len(steps) - 1)
            steps = steps[:place] + steps[place + 1 :]
        return replace(self, steps=(*steps, step))


class KnownAccount(Record):
    """Payments' copy of an account: that it exists, whose it is, and what it can be used for."""

    account_id: str
    customer_id: str
    currency: str
    client_id: str | None = None
    """Whose customer's it is: who may pay from it; None: whom the house serves."""
    may_pay: bool = True
    may_receive: bool = True


class RefusedLine(Record):
    """A line of a batch that did not become a payment."""

    batch_id: str
    line_number: int
    reason: str
    field: str | None
    detail: str


class Batch(Record):
    """A file of payments."""

    batch_id: str
    client_id: str
    opened_at: datetime
    line_count: int = 0
    """How many lines have come in."""
    completed_at: datetime | None = None
    """When its end had come in; nothing is added to it from then on."""


class Payments(State):
    """What a batch of work may touch: payments and refunds, locked; the accounts they name."""

    def __init__(
        self,
        *,
        payments: Mapping[str, Payment],
        refunds: Mapping[str, Refund],
        accounts: Mapping[str, KnownAccount],
        batches: Mapping[str, Batch],
        policy: Policy,
        fees: FeeSchedule,
        quotas: Mapping[str, Quota] | None = None,
        default_quotas: DefaultQuotas | None = None,
        keys: Keys = READABLE,
    ) -> None:
        """`keys`: those of the customers in whose payments personal data may be taken in or completed."""
        self.payments: Aggregates[Payment] = Aggregates(payments)
        self.refunds: Aggregates[Refund] = Aggregates(refunds)
        self.accounts: Aggregates[KnownAccount] = Aggregates(accounts)
        self.refused_lines: Journal[RefusedLine] = Journal()
        self.batches: Aggregates[Batch] = Aggregates(batches)
        self.quotas: Aggregates[Quota] = Aggregates(quotas or {})
        self.default_quotas: DefaultQuotas = default_quotas or {}
        self.policy = policy
        self.fees = fees
        self.keys = keys
        super().__init__(
            self.payments,
            self.refunds,
            self.accounts,
            self.refused_lines,
            self.batches,
            self.quotas,
            numbering={
                PAYMENT: Numbered(aggregates=self.payments),
                # A count of its own: gaps in the open topic would tell of events that clients must not know of.
                REVIEW: Numbered(aggregates=self.payments, counter="review_sequence"),
                REFUND: Numbered(aggregates=self.refunds),
            },
        )

    def __getitem__(self, payment_id: str) -> Payment:
        return self.payments[payment_id]

    def put(self, payment: Payment) -> None:
        self.payments.put(payment.payment_id, payment)


def _fraud_finding(finding: FraudFinding) -> Finding:
    return Finding(source=finding.rule, score=finding.score, reason=finding.reason)


def _hit_finding(hit: ScreeningHit) -> Finding:
    return Finding(
        source=f"{hit.list_name}/{hit.entity_id}",
        score=hit.score,
        reason=f"{hit.role.value} resembles {hit.listed_name}: {hit.explanation}",
    )
