"""A payment's life told in words: `Story().hears("clear allow held")`, and what came of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from libs.common import ids
from libs.common.batch import Decided, Refusal, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.record import Record, replace
from schemas.accounts.events import (
    DeclineReason,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    PostRefusal,
    RefundPosted,
    RefundRefusal,
    RefundRefused,
)
from schemas.compliance.events import (
    CaseDecision,
    CaseResolved,
    CaseTaken,
    ComplianceScreened,
    PartyRole,
    ScreeningHit,
    ScreeningOutcome,
)
from schemas.fraud.events import FraudAssessed, FraudFinding, FraudOutcome
from schemas.payments.events import Party, PaymentPersonalData
from services.payments.domain.answers import DeadlinePassed
from services.payments.domain.captures import CapturePayment
from services.payments.domain.intake import CancelPayment, InitiatePayment
from services.payments.domain.party_data import SupplyData, Told
from services.payments.domain.payment import Capture, Charge, KnownAccount, Payment, Payments
from services.payments.domain.refund import Refund
from services.payments.domain.refunds import RefundDeadlinePassed, RequestRefund
from services.payments.handlers import handlers
from services.payments.settings import FeeTerms, PaymentsSettings

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
ASK, SUSPEND, REVIEW, CAPTURE = timedelta(seconds=30), timedelta(seconds=120), timedelta(days=5), timedelta(days=7)
SETTINGS = PaymentsSettings(
    database_url="postgresql://nowhere",
    ask_again_seconds=ASK.total_seconds(),
    suspend_seconds=SUSPEND.total_seconds(),
    review_seconds=REVIEW.total_seconds(),
    capture_seconds=CAPTURE.total_seconds(),
    fees=(FeeTerms(currency="EUR", fixed="0.10", percentage=Decimal(1)),),
)
HANDLERS = handlers(SETTINGS)

PAYMENT = ids.named("payment")
DEBTOR, CREDITOR, STRANGER = ids.named("debtor"), ids.named("creditor"), ids.named("stranger")
ANN, BEN = ids.named("ann"), ids.named("ben")
TRANSFER, CASE = ids.named("transfer"), ids.named("case")
CLIENT = "shop"
FEE = 22
"""Of the order below, in minor units: ten cents and one per cent."""
PART = Charge(amount_minor=500, fee_minor=15)
"""What its client captures of it when it doesn't take all."""

ACCOUNTS = {
    DEBTOR: KnownAccount(account_id=DEBTOR, customer_id=ANN, currency="EUR"),
    CREDITOR: KnownAccount(account_id=CREDITOR, customer_id=BEN, currency="EUR"),
}

ORDER = InitiatePayment(
    payment_id=PAYMENT,
    client_id=CLIENT,
    debtor_account_id=DEBTOR,
    creditor_account_id=CREDITOR,
    amount_minor=1234,
    currency="EUR",
    personal=PaymentPersonalData(debtor=Party(name="Ann"), creditor=Party(name="Ben")),
)
MISSING = ("debtor.address", "debtor.country")
SUPPLY = SupplyData(
    payment_id=PAYMENT, client_id=CLIENT, debtor=Told(address="1 Mill Race, Boston", country="US"), creditor=Told()
)


def _fraud(outcome: FraudOutcome, at: datetime) -> FraudAssessed:
    finding = FraudFinding(rule="velocity", score=0.7, reason="seven in an hour")
    return FraudAssessed(
        payment_id=PAYMENT,
        debtor_account_id=DEBTOR,
        outcome=outcome,
        score=0.7,
        findings=(finding,),
        rules_version="1",
        assessed_at=at,
    )


def _compliance(outcome: ScreeningOutcome, at: datetime) -> ComplianceScreened:
    hit = ScreeningHit(
        role=PartyRole.CREDITOR, list_name="UN", entity_id="7", listed_name="Benn", score=0.9, explanation="one letter"
    )
    return ComplianceScreened(
        payment_id=PAYMENT,
        debtor_account_id=DEBTOR,
        outcome=outcome,
        hits=(hit,) if outcome in (ScreeningOutcome.REVIEW, ScreeningOutcome.BLOCK) else (),
        missing=MISSING if outcome is ScreeningOutcome.INCOMPLETE else (),
        lists_version="1",
        screened_at=at,
    )


def resolved(decision: CaseDecision, at: datetime, evidence_at: datetime | None = None) -> CaseResolved:
    return CaseResolved(
        case_id=CASE,
        partition_key=DEBTOR,
        payment_id=PAYMENT,
        decision=decision,
        proposed_by="eve",
        confirmed_by="finn",
        evidence_at=evidence_at,
        resolved_at=at,
    )


def declined(reason: DeclineReason, at: datetime) -> FundsDeclined:
    return FundsDeclined(payment_id=PAYMENT, debtor_account_id=DEBTOR, reason=reason, declined_at=at)


def refused(reason: PostRefusal, at: datetime) -> FundsPostRefused:
    return FundsPostRefused(payment_id=PAYMENT, debtor_account_id=DEBTOR, reason=reason, refused_at=at)


def posted(charge: Charge, at: datetime) -> FundsPosted:
    return FundsPosted(
        payment_id=PAYMENT,
        debtor_account_id=DEBTOR,
        creditor_account_id=CREDITOR,
        amount_minor=charge.amount_minor,
        fee_minor=charge.fee_minor,
        currency="EUR",
        transfer_id=TRANSFER,
        posted_at=at,
    )


WORDS: dict[str, Callable[[datetime], Record]] = {
    "allow": partial(_fraud, FraudOutcome.ALLOW),
    "fraud?": partial(_fraud, FraudOutcome.REVIEW),
    "fraud!": partial(_fraud, FraudOutcome.BLOCK),
    "clear": partial(_compliance, ScreeningOutcome.CLEAR),
    "listed?": partial(_compliance, ScreeningOutcome.REVIEW),
    "listed!": partial(_compliance, ScreeningOutcome.BLOCK),
    "incomplete": partial(_compliance, ScreeningOutcome.INCOMPLETE),
    "held": lambda at: FundsHeld(
        payment_id=PAYMENT,
        debtor_account_id=DEBTOR,
        amount_minor=1234,
        fee_minor=FEE,
        currency="EUR",
        held_at=at,
        expires_at=at + timedelta(days=30),
    ),
    "declined": partial(declined, DeclineReason.INSUFFICIENT_FUNDS),
    "posted": partial(posted, Charge(amount_minor=1234, fee_minor=FEE)),
    "part-posted": partial(posted, PART),
    "blocked": lambda at: FundsBlocked(
        payment_id=PAYMENT,
        debtor_account_id=DEBTOR,
        blocked_account_id=STRANGER,
        amount_minor=1234 + FEE,
        currency="EUR",
        transfer_id=TRANSFER,
        blocked_at=at,
    ),
    "released": lambda at: FundsReleased(
        payment_id=PAYMENT, debtor_account_id=DEBTOR, amount_minor=1234 + FEE, currency="EUR", released_at=at
    ),
    "debtor-frozen": partial(refused, PostRefusal.DEBTOR_ACCOUNT_FROZEN),
    "creditor-frozen": partial(refused, PostRefusal.CREDITOR_ACCOUNT_FROZEN),
    "nothing-held": partial(refused, PostRefusal.NOTHING_HELD),
    "taken": lambda at: CaseTaken(case_id=CASE, partition_key=DEBTOR, payment_id=PAYMENT, taken_by="eve", taken_at=at),
    "approve": partial(resolved, CaseDecision.APPROVE),
    "reject": partial(resolved, CaseDecision.REJECT),
    "block": partial(resolved, CaseDecision.BLOCK),
    "cancel": lambda at: CancelPayment(payment_id=PAYMENT, client_id=CLIENT),
    "supply": lambda at: SUPPLY,
    "capture": lambda at: CapturePayment(payment_id=PAYMENT, client_id=CLIENT),
    "capture-part": lambda at: CapturePayment(payment_id=PAYMENT, client_id=CLIENT, amount="5.00"),
}
"""Besides these, `look`: the sweep looks at the payment now; `wait`: time passes until it does, and it does what is
then due; and `silence`: so much time passes that the payment is suspended."""
REFUND_WORDS = ("refund", "refund-part", "refunded", "not-refunded", "refund-wait")
"""About the refund that was requested last: `refund-wait` is for it what `wait` is for the payment."""


class Story:
    """One payment, its order given, and whatever it hears then."""

    def __init__(self, *, began: bool = True, capture: Capture = Capture.AUTOMATIC) -> None:
        self._order = replace(ORDER, capture=capture)
        self.state = Payments(
            payments={},
            refunds={},
            accounts=ACCOUNTS,
            batches={},
            policy=SETTINGS.policy,
            fees=SETTINGS.fee_schedule,
        )
        self.now = START
        self.events: list[Event] = []
        """What the last word led to."""
        self.all_events: list[Event] = []
        self.last: Decided
        self._heard = 0
        if began:
            self.hears("order")

    @property
    def payment(self) -> Payment:
        return self.state[PAYMENT]

    @property
    def told(self) -> list[str]:
        """The types of the events that the last word led to."""
        return [type(event).__name__ for event in self.events]

    @property
    def refusal(self) -> str | None:
        return self.last.refusal.reason if isinstance(self.last.refusal, Refusal) else None

    def hears(self, words: str) -> "Story":
        """Decide on one message after the other. Raises AssertionError if one of them would be a dead letter."""
        for word in words.replace("silence", "wait wait").split():
            self.decide(self._message(word))
            assert self.last.outcome is Outcome.APPLIED, self.last.error
        return self

    def fails_at(self, word: str) -> Exception | None:
        """The error with which a message would be buried."""
        self.decide(self._message(word))
        return self.last.error

    def fails_at_decision(self, decision: CaseDecision) -> Exception | None:
        """The same for what people might decide in some later version."""
        self.decide(resolved(decision, self.now))
        return self.last.error

    def decide(self, body: Record) -> Sequence[Event]:
        self._heard += 1
        message_id = ids.derive(PAYMENT, "heard", self._heard)
        message = Message(
            message_id=message_id,
            body=body,
            received_at=self.now,
            trace=Trace(correlation_id=message_id, traceparent=""),
        )
        self.events = []
        (self.last,) = decide_all(HANDLERS, self.state, [message], self._encode)
        self.all_events += self.events
        return self.events

    def _message(self, word: str) -> Record:
        if word == "wait":
            assert self.payment.check_at is not None, "nobody waits for it"
            self.now = max(self.now, self.payment.check_at)
        if word in ("wait", "look"):
            return self.tick()
        if word == "order":
            return self._order
        if word in REFUND_WORDS:
            return self._about_refund(word)
        return WORDS[word](self.now)

    def _about_refund(self, word: str) -> Record:
        if word in ("refund", "refund-part"):
            refund_id = ids.derive(PAYMENT, "refund", self._heard)
            amount = "2.00" if word == "refund-part" else None
            return RequestRefund(refund_id=refund_id, payment_id=PAYMENT, client_id=CLIENT, amount=amount)
        if word == "refunded":
            return self.refund_posted()
        if word == "not-refunded":
            return self.refund_refused(RefundRefusal.INSUFFICIENT_FUNDS)
        assert self.refund.check_at is not None, "nobody waits for it"
        self.now = max(self.now, self.refund.check_at)
        return RefundDeadlinePassed(refund_id=self.refund.refund_id, payment_id=PAYMENT, check_at=self.refund.check_at)

    @property
    def refund(self) -> Refund:
        """The one that was requested last."""
        return self.state.refunds.values()[-1]

    def refund_posted(self) -> RefundPosted:
        return RefundPosted(
            refund_id=self.refund.refund_id,
            payment_id=PAYMENT,
            debtor_account_id=DEBTOR,
            creditor_account_id=CREDITOR,
            amount_minor=self.refund.amount_minor,
            currency="EUR",
            transfer_id=TRANSFER,
            posted_at=self.now,
        )

    def refund_refused(self, reason: RefundRefusal) -> RefundRefused:
        return RefundRefused(
            refund_id=self.refund.refund_id,
            payment_id=PAYMENT,
            debtor_account_id=DEBTOR,
            creditor_account_id=CREDITOR,
            reason=reason,
            refused_at=self.now,
        )

    def tick(self) -> DeadlinePassed:
        """What the sweep finds due, or would if it took the payment before its time."""
        known = self.state.payments.get(PAYMENT)
        check_at = known.check_at if known is not None else None
        return DeadlinePassed(payment_id=PAYMENT, check_at=check_at or self.now)

    def _encode(self, event: Event) -> bytes:
        self.events.append(event)
        return b""
