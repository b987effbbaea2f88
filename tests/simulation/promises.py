"""What must hold in the simulated world whatever happens: after every step, at every rest, and at the end.

What is expected is worked out from the events alone, as any reader of the topics could, and from what
the people in the town have done; what the services keep must agree with it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, ClassVar

from libs.common.events import Event
from libs.common.money import SCALES
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    HoldEnded,
    HoldPlaced,
    PropertyBlocked,
    RefundPosted,
    RefundRefusal,
    RefundRefused,
    TransfersPosted,
)
from schemas.compliance.events import CaseDecision, CaseResolved, ComplianceScreened, ScreeningOutcome
from schemas.fraud.events import DebtorPaymentLabelled, FraudAssessed, FraudOutcome, Label, PaymentLabelled
from schemas.payments.events import (
    Answer,
    InternalReason,
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentAuthorised,
    PaymentBlocked,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentEvidence,
    PaymentInitiated,
    PaymentPersonalData,
    PaymentRejected,
    PaymentReleaseRequested,
    PaymentResumed,
    PaymentSettled,
    PaymentSuspended,
    PublicReason,
    RefundAnswerOverdue,
    RefundRejected,
    RefundRequested,
    RefundSettled,
)
from services.accounts.domain.chart import AccountKind, house_account_id, house_accounts
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import (
    AccountStatus,
    HoldStatus,
    RefundStatus,
)
from services.accounts.domain.ledger import CustomerStatus as AccountsCustomerStatus
from services.accounts.domain.limits import STANDARD_LIMITS
from services.compliance.domain.case import Case
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.work import CustomerStatus
from services.fraud.domain.entities import EntityKind
from services.payments.domain.captures import CapturePayment
from services.payments.domain.fees import FeeSchedule
from services.payments.domain.intake import CancelPayment, InitiatePayment
from services.payments.domain.payment import STEPS_MAX, Capture, Charge, Payment, PaymentState
from services.payments.domain.refund import RefundState
from services.payments.domain.refunds import RequestRefund
from tests.simulation.books import Books, Movement
from tests.simulation.memories import AccountsMemory, ComplianceMemory, FraudMemory, PaymentsMemory, names_on_list
from tests.simulation.world import Published, World

END_EVENTS: dict[type[Event], PaymentState] = {
    PaymentSettled: PaymentState.SETTLED,
    PaymentRejected: PaymentState.REJECTED,
    PaymentCancelled: PaymentState.CANCELLED,
    PaymentBlocked: PaymentState.BLOCKED,
}
GIVEN_BACK = (HoldStatus.DECLINED, HoldStatus.RELEASED)
HOLDS_AT_THE_END = {
    PaymentState.SETTLED: (HoldStatus.POSTED,),
    PaymentState.BLOCKED: (HoldStatus.BLOCKED,),
    PaymentState.REJECTED: GIVEN_BACK,
    PaymentState.CANCELLED: GIVEN_BACK,
}
ANSWERS_TOLD_BY: dict[type[Event], tuple[Answer, ...]] = {
    FraudAssessed: (Answer.FRAUD,),
    ComplianceScreened: (Answer.COMPLIANCE,),
    FundsHeld: (Answer.HOLD,),
    FundsDeclined: (Answer.HOLD,),
    FundsPosted: (Answer.HOLD, Answer.POSTING, Answer.BLOCKING),
    FundsBlocked: (Answer.HOLD, Answer.BLOCKING),
    FundsPostRefused: (Answer.POSTING, Answer.BLOCKING),
}
FRAUD_LABEL = b"\x02"
"""How a history keeps it."""
ANSWERS = ("fraud answered", "compliance answered", "funds held", "funds declined", "settled", "blocked")
SHOWN_ONCE = frozenset(
    {
        "initiated",
        "funds held",
        "funds released",
        "authorised",
        "captured",
        "not captured in time",
        "cancel requested",
        "approved",
        "settled",
        "rejected",
        "cancelled",
        "blocked",
    }
)
"""All that a client may read about a payment. A line that stood there twice would tell of what came between."""
SHOWN_OF_REFUNDS = frozenset({"refund requested", "refund settled", "refund rejected"})
ACCOUNTS_CUSTOMER_STATUS = {
    CustomerStatus.IN_REVIEW: AccountsCustomerStatus.REGISTERED,
    CustomerStatus.VERIFIED: AccountsCustomerStatus.VERIFIED,
    CustomerStatus.REFUSED: AccountsCustomerStatus.REFUSED,
    CustomerStatus.RESTRICTED: AccountsCustomerStatus.RESTRICTED,
    CustomerStatus.CLOSED: AccountsCustomerStatus.CLOSED,
}


class Known:
    """What the topics have told about one payment so far."""

    def __init__(self) -> None:
        self.fraud: FraudOutcome | None = None
        self.screenings: list[ScreeningOutcome] = []
        """What screening answered, and what it found while the payment waited for people."""
        self.funds: type[Event] | None = None
        """What accounts said first."""
        self.approvals: list[PaymentEvidence | None] = []
        """What the two people saw who approved it, each time."""
        self.is_rejected_by_people = False
        self.is_blocked_by_people = False
        self.approval_count = 0
        self.fee_minor = 0
        """What its payer owes on top, by the fees of when it was ordered."""
        self.capture_by: datetime | None = None
        """What its client was told."""
        self.captured: Charge | None = None
        """What its client has asked to be taken, and the fee on that."""
        self.posted: Charge | None = None
        """What accounts said it has moved."""
        self.held_at: datetime | None = None
        self.was_refused_posting = False
        self.was_released = False
        self.was_suspended = False
        self.is_release_requested = False
        self.end: PaymentState | None = None


class KnownRefund:
    """What the topics have told about one refund so far."""

    def __init__(self, payment_id: str, amount_minor: int) -> None:
        self.payment_id = payment_id
        self.amount_minor = amount_minor
        self.requested_at: datetime | None = None
        self.answer: type[Event] | None = None
        """What accounts said."""
        self.end: RefundState | None = None
        self.was_asked_again = False


class Promises:
    """Looks on, and raises AssertionError where a promise is broken."""

    def __init__(
        self,
        world: World,
        payments: PaymentsMemory,
        fraud: FraudMemory,
        compliance: ComplianceMemory,
        accounts: AccountsMemory,
    ) -> None:
        self.world = world
        self.payments, self.fraud, self.compliance, self.accounts = payments, fraud, compliance, accounts
        self.withdrawn: set[str] = set()
        """Payments whose clients have asked for them to be cancelled."""
        self._listed: set[str] = set()
        self._proposed_on: dict[str, PaymentEvidence | None] = {}
        self._confirmed_on: dict[str, PaymentEvidence | None] = {}
        self._known: dict[str, Known] = defaultdict(Known)
        self._refunds: dict[str, KnownRefund] = {}
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._usable: dict[str, tuple[bool, bool]] = {}
        """Whether an account may pay, and whether it may receive."""
        self._unanswered: set[tuple[str, Answer]] = set()
        self._refunds_unanswered: set[str] = set()
        self._overdue: dict[str, list[Any]] = defaultdict(list)
        self.books = Books(accounts)
        self._read = self._committed = 0

    @property
    def payments_known(self) -> list[Known]:
        """What the topics have told about each payment."""
        return list(self._known.values())

    # What the town tells

    def note_order(self, order: InitiatePayment, *, is_listed: bool) -> None:
        if is_listed:
            self._listed.add(order.payment_id)
        self._known[order.payment_id].fee_minor = fee_due(self.payments.fees, order.amount_minor, order.currency)

    def note_capture(self, command: CapturePayment) -> str | None:
        """What a client wants to take. Returns why that is refused, if it is: by what the client may know alone."""
        self.check()
        payment, known = self.payments.payments[command.payment_id], self._known[command.payment_id]
        order = payment.order
        if command.client_id not in (None, order.client_id):
            return "payment_unknown"
        if known.end is not None:
            return "payment_ended"
        is_decided = known.captured is not None or command.payment_id in self.withdrawn
        if known.capture_by is None or self.world.now >= known.capture_by or is_decided:
            return "payment_not_capturable"
        amount_minor = read_amount(command.amount, order.amount_minor, order.currency)
        if isinstance(amount_minor, int):
            fee_minor = fee_due(self.payments.fees, amount_minor, order.currency)
            known.captured = Charge(amount_minor=amount_minor, fee_minor=min(fee_minor, order.fee_minor))
            return None
        return amount_minor

    def note_refund(self, command: RequestRefund) -> str | None:
        """What a client wants to give back. Returns why that is refused, if it is."""
        self.check()
        payment, known = self.payments.payments[command.payment_id], self._known[command.payment_id]
        if command.client_id not in (None, payment.order.client_id):
            return "payment_unknown"
        if known.end is not PaymentState.SETTLED:
            return "payment_not_settled"
        assert known.posted is not None
        left_minor = known.posted.amount_minor - self._refunded_minor(command.payment_id)
        if left_minor == 0:
            return "payment_refunded"
        amount_minor = read_amount(command.amount, left_minor, payment.order.currency)
        if isinstance(amount_minor, int):
            self._refunds[command.refund_id] = KnownRefund(command.payment_id, amount_minor)
            return None
        return amount_minor

    def _refunded_minor(self, payment_id: str) -> int:
        """What a payment's refunds come to, those that were rejected apart."""
        refunds = [refund for refund in self._refunds.values() if refund.payment_id == payment_id]
        return sum(refund.amount_minor for refund in refunds if refund.end is not RefundState.REJECTED)

    def may_be_refused(self, command: CancelPayment) -> set[str | None]:
        """What a client who withdraws a payment may be answered, by what it may know; None: that it is done."""
        self.check()
        payment, known = self.payments.payments[command.payment_id], self._known[command.payment_id]
        if command.client_id not in (None, payment.order.client_id):
            return {"payment_unknown"}
        if known.end is not None:
            return {"payment_ended"}
        is_beyond_recall = known.captured is not None or known.approval_count
        return {"payment_not_cancellable" if is_beyond_recall else None}

    def note_proposed(self, case: Case) -> None:
        """One person has decided, and this is what that person saw."""
        self._proposed_on[case.case_id] = case.payment.evidence if case.payment else None

    def note_confirmed(self, case: Case) -> None:
        """Two people have decided, and this is what they saw: both the same."""
        seen = case.payment.evidence if case.payment else None
        assert self._proposed_on[case.case_id] == seen, "the proposal was made on something else"
        self._confirmed_on[case.case_id] = seen
        self.check()

    # After every step

    def check(self) -> None:
        """What holds at any moment."""
        for published in self.world.log[self._read :]:
            self._check_number(published)
            self._check_event(published)
        self._read = len(self.world.log)
        committed = len(self.world.services["accounts"].committed)
        if committed > self._committed:
            self.books.check()
        self._committed = committed

    def _check_number(self, published: Published) -> None:
        topic, subject = published.queue[0], published.event.contract.subject_of(published.event)
        self._numbers[topic, subject] += 1
        assert published.number == self._numbers[topic, subject], f"a gap before {published}"

    def _check_event(self, published: Published) -> None:
        for answer in ANSWERS_TOLD_BY.get(type(published.event), ()):
            self._unanswered.discard((published.event.contract.subject_of(published.event), answer))
        check = self._CHECKS.get(type(published.event))
        if check is not None:
            check(self, published.event)

    def _check_initiated(self, event: PaymentInitiated) -> None:
        assert event.order.fee_minor == self._known[event.payment_id].fee_minor, "a fee is not what the schedule says"

    def _check_assessed(self, event: FraudAssessed) -> None:
        known = self._known[event.payment_id]
        assert known.fraud in (None, event.outcome), "an assessment never changes"
        known.fraud = event.outcome

    def _check_screened(self, event: ComplianceScreened) -> None:
        known = self._known[event.payment_id]
        assert known.was_suspended or known.screenings in ([], [event.outcome]), "only what waits is screened again"
        known.screenings.append(event.outcome)
        if event.payment_id in self._listed:
            assert event.outcome is ScreeningOutcome.BLOCK, "a listed name was let through"

    def _check_held(self, event: FundsHeld) -> None:
        known = self._known[event.payment_id]
        assert known.funds in (None, FundsHeld), "what was declined is held"
        if known.funds is None:
            order = self.payments.payments[event.payment_id].order
            self._assert_usable(order.debtor_account_id, order.creditor_account_id)
            debtor = self.accounts.accounts[order.debtor_account_id]
            assert debtor.currency == event.currency == order.currency
            assert (event.amount_minor, event.fee_minor) == (order.amount_minor, order.fee_minor)
            assert STANDARD_LIMITS.of(debtor.tier, debtor.currency).once is not None, (
                "nobody here may pay what they like"
            )
            self.books.spend(order.debtor_account_id, event.amount_minor + event.fee_minor, event.held_at)
            known.held_at = event.held_at
        known.funds = FundsHeld

    def _check_declined(self, event: FundsDeclined) -> None:
        known = self._known[event.payment_id]
        known.funds = known.funds or FundsDeclined

    def _check_post_refused(self, event: FundsPostRefused) -> None:
        self._known[event.payment_id].was_refused_posting = True

    def _check_authorised(self, event: PaymentAuthorised) -> None:
        known, payment = self._known[event.payment_id], self.payments.payments[event.payment_id]
        assert payment.capture is Capture.MANUAL and known.capture_by is None, "its client is told once"
        assert event.capture_by == event.authorised_at + self.payments.policy.capture_within
        order = payment.order
        assert (event.amount_minor, event.fee_minor) == (order.amount_minor, order.fee_minor)
        known.capture_by = event.capture_by
        self._check_let_through(payment, "authorised", 1)

    def _check_approved(self, event: PaymentApproved) -> None:
        known, payment = self._known[event.payment_id], self.payments.payments[event.payment_id]
        known.approval_count += 1
        assert (payment.capture is Capture.MANUAL) == (known.captured is not None), "its client says how much to take"
        assert Charge(amount_minor=event.amount_minor, fee_minor=event.fee_minor) == self._charge(payment)
        self._check_let_through(payment, "approved", known.approval_count)

    def _charge(self, payment: Payment) -> Charge:
        """What is to reach the creditor, and the house."""
        order, known = payment.order, self._known[payment.payment_id]
        return known.captured or Charge(amount_minor=order.amount_minor, fee_minor=known.fee_minor)

    def _check_let_through(self, payment: Payment, what: str, count: int) -> None:
        """The three answers, as payments had heard them then, were good, or people who knew them have approved."""
        known = self._known[payment.payment_id]
        assert known.end is None, f"{what} after its end"
        assert known.fraud and known.screenings and known.funds is FundsHeld, f"{what} without three answers"
        assert None not in (payment.assessment, payment.screening, payment.funds)
        heard = self._heard_before(payment, what, count)
        assert heard is not ScreeningOutcome.BLOCK, f"listed money was {what}"
        if known.fraud is not FraudOutcome.ALLOW:
            assert any(seen and seen.fraud_outcome == known.fraud for seen in known.approvals), (
                f"it was {what}, and nobody who knew what fraud says approved it"
            )
        if heard is not ScreeningOutcome.CLEAR:
            assert any(seen and seen.compliance_outcome == heard for seen in known.approvals), (
                f"it was {what}, and nobody who knew what screening says approved it"
            )

    def _check_block_requested(self, event: PaymentBlockRequested) -> None:
        known, payment = self._known[event.payment_id], self.payments.payments[event.payment_id]
        assert known.end is None, "blocked after its end"
        is_listed = self._heard_before(payment, "blocking", 1) is ScreeningOutcome.BLOCK
        assert is_listed or known.is_blocked_by_people

    def _check_posted(self, event: FundsPosted) -> None:
        known, payment = self._known[event.payment_id], self.payments.payments[event.payment_id]
        moved = Charge(amount_minor=event.amount_minor, fee_minor=event.fee_minor)
        assert known.approval_count, "posted without approval"
        assert known.end in (None, PaymentState.SETTLED), f"posted after it was {known.end}"
        assert moved == self._charge(payment), "moved is what was captured, and the fee on that"
        if known.posted is None:
            self._assert_usable(event.debtor_account_id, event.creditor_account_id)
            order = payment.order
            left_minor = order.amount_minor + order.fee_minor - moved.amount_minor - moved.fee_minor
            self._give_back(event.debtor_account_id, left_minor, known)
        known.posted = moved

    def _check_blocked(self, event: FundsBlocked) -> None:
        known, order = self._known[event.payment_id], self.payments.payments[event.payment_id].order
        assert known.end in (None, PaymentState.BLOCKED) and known.posted is None
        assert event.amount_minor == order.amount_minor + order.fee_minor, "all that was held is blocked"

    def _check_released(self, event: FundsReleased) -> None:
        known = self._known[event.payment_id]
        assert known.funds is FundsHeld and not known.was_released, "released what was not held"
        known.was_released = True
        order = self.payments.payments[event.payment_id].order
        assert known.posted is None and event.amount_minor == order.amount_minor + order.fee_minor
        assert known.held_at is not None
        is_backstop = event.released_at >= known.held_at + self.accounts.hold_lifetime
        self._give_back(event.debtor_account_id, event.amount_minor, known)
        heard = self._heard(self.payments.payments[event.payment_id])
        is_approved = any(seen and seen.compliance_outcome == heard for seen in known.approvals)
        may_be_theirs = heard is not ScreeningOutcome.CLEAR and not is_approved
        is_decided = known.is_rejected_by_people and heard is ScreeningOutcome.REVIEW
        assert is_backstop or is_decided or not may_be_theirs, "what may be a listed party's was given back"
        assert is_backstop or event.payment_id not in self._listed or heard is ScreeningOutcome.REVIEW
        assert is_backstop or known.end in (PaymentState.REJECTED, PaymentState.CANCELLED), "released before the end"

    def _give_back(self, account_id: str, amount_minor: int, known: Known) -> None:
        assert known.held_at is not None and amount_minor >= 0
        self.books.give_back(account_id, amount_minor, known.held_at)

    def _check_release_requested(self, event: PaymentReleaseRequested) -> None:
        known = self._known[event.payment_id]
        assert known.end in (PaymentState.REJECTED, PaymentState.CANCELLED), "released before its end"
        known.is_release_requested = True

    def _check_suspended(self, event: PaymentSuspended) -> None:
        known = self._known[event.payment_id]
        assert known.end is None, "suspended after its end"
        known.was_suspended = True

    def _check_resumed(self, event: PaymentResumed) -> None:
        assert self._known[event.payment_id].end is None, "resumed after its end"
        assert not self.payments.payments[event.payment_id].is_case_taken, "it went on while a person worked on it"

    def _check_overdue(self, event: PaymentAnswerOverdue) -> None:
        self._overdue[event.payment_id].append(event.overdue_at)
        self._unanswered |= {(event.payment_id, answer) for answer in event.awaited}

    def _check_resolved(self, event: CaseResolved) -> None:
        assert event.proposed_by != event.confirmed_by, "one person decided alone"
        if event.payment_id is None:
            return
        known = self._known[event.payment_id]
        if event.decision is CaseDecision.APPROVE:
            seen = self._confirmed_on[event.case_id]
            assert seen is None or seen.compliance_outcome != ScreeningOutcome.BLOCK, "people approved listed money"
            known.approvals.append(seen)
        known.is_rejected_by_people |= event.decision is CaseDecision.REJECT
        known.is_blocked_by_people |= event.decision is CaseDecision.BLOCK

    def _check_end(self, event: Any) -> None:
        known = self._known[event.payment_id]
        assert known.end is None, f"{known.end} and then {event}"
        known.end = END_EVENTS[type(event)]
        if isinstance(event, PaymentSettled):
            assert Charge(amount_minor=event.amount_minor, fee_minor=event.fee_minor) == known.posted
        if isinstance(event, PaymentRejected) and (known.capture_by or known.approval_count):
            assert event.reason is not PublicReason.DECLINED, "its client knows that all was well: people have refused"
        if isinstance(event, PaymentCancelled) and event.payment_id not in self.withdrawn:
            assert known.captured is None, "nobody has asked for that"
            assert known.capture_by is not None and event.cancelled_at >= known.capture_by, "it could still be captured"

    def _check_refund_requested(self, event: RefundRequested) -> None:
        refund, known = self._refunds[event.refund_id], self._known[event.payment_id]
        assert refund.payment_id == event.payment_id and refund.amount_minor == event.amount_minor
        assert refund.requested_at is None and known.end is PaymentState.SETTLED and known.posted is not None
        refund.requested_at = event.requested_at
        assert self._refunded_minor(event.payment_id) <= known.posted.amount_minor, "more is given back than was paid"

    def _check_refund_overdue(self, event: RefundAnswerOverdue) -> None:
        refund = self._refunds[event.refund_id]
        assert refund.end is None and event.amount_minor == refund.amount_minor
        refund.was_asked_again = True
        self._refunds_unanswered.add(event.refund_id)

    def _check_refund_posted(self, event: RefundPosted) -> None:
        refund, payment = self._refunds[event.refund_id], self.payments.payments[event.payment_id]
        assert refund.answer in (None, RefundPosted), "what was refused is given back"
        assert event.amount_minor == refund.amount_minor
        if refund.answer is None:
            self._assert_usable(payment.order.creditor_account_id, payment.order.debtor_account_id)
        refund.answer = RefundPosted
        self._refunds_unanswered.discard(event.refund_id)

    def _check_refund_refused(self, event: RefundRefused) -> None:
        refund = self._refunds[event.refund_id]
        assert refund.answer in (None, RefundRefused), "what was given back is refused"
        # Payments asks for no more than there is, and knows what was settled: only accounts can be in the way.
        assert event.reason not in (RefundRefusal.PAYMENT_NOT_POSTED, RefundRefusal.AMOUNT_EXCEEDS_POSTED)
        refund.answer = RefundRefused
        self._refunds_unanswered.discard(event.refund_id)

    def _check_refund_end(self, event: RefundSettled | RefundRejected) -> None:
        refund = self._refunds[event.refund_id]
        assert refund.end is None, f"{refund.end} and then {event}"
        is_settled = isinstance(event, RefundSettled)
        assert refund.answer is (RefundPosted if is_settled else RefundRefused), "accounts has not said so"
        refund.end = RefundState.SETTLED if is_settled else RefundState.REJECTED

    def _check_account(self, event: AccountOpened | AccountFrozen | AccountThawed | AccountClosed) -> None:
        may_pay = isinstance(event, AccountOpened | AccountThawed)
        may_receive = may_pay or (isinstance(event, AccountFrozen) and event.may_receive)
        self._usable[event.account_id] = may_pay, may_receive

    def _check_moved(self, event: TransfersPosted) -> None:
        for transfer in event.transfers:
            self._assert_usable(transfer.debit_account_id, transfer.credit_account_id)
        self.books.hear_transfers(event)

    def _check_placed(self, event: HoldPlaced) -> None:
        self._assert_usable(event.debtor_account_id, event.creditor_account_id)
        self.books.hear_placed(event)

    def _check_property_blocked(self, event: PropertyBlocked) -> None:
        self.books.hear_blocked(event)

    def _check_hold_ended(self, event: HoldEnded) -> None:
        self.books.hear_ended(event)

    _CHECKS: ClassVar[dict[type[Event], Callable[["Promises", Any], None]]] = {
        PaymentInitiated: _check_initiated,
        FraudAssessed: _check_assessed,
        ComplianceScreened: _check_screened,
        FundsHeld: _check_held,
        FundsDeclined: _check_declined,
        FundsPostRefused: _check_post_refused,
        FundsPosted: _check_posted,
        FundsBlocked: _check_blocked,
        FundsReleased: _check_released,
        PaymentAuthorised: _check_authorised,
        PaymentApproved: _check_approved,
        PaymentBlockRequested: _check_block_requested,
        PaymentReleaseRequested: _check_release_requested,
        PaymentSuspended: _check_suspended,
        PaymentResumed: _check_resumed,
        PaymentAnswerOverdue: _check_overdue,
        CaseResolved: _check_resolved,
        RefundRequested: _check_refund_requested,
        RefundAnswerOverdue: _check_refund_overdue,
        RefundPosted: _check_refund_posted,
        RefundRefused: _check_refund_refused,
        RefundSettled: _check_refund_end,
        RefundRejected: _check_refund_end,
        AccountOpened: _check_account,
        AccountFrozen: _check_account,
        AccountThawed: _check_account,
        AccountClosed: _check_account,
        TransfersPosted: _check_moved,
        HoldPlaced: _check_placed,
        PropertyBlocked: _check_property_blocked,
        HoldEnded: _check_hold_ended,
        **dict.fromkeys(END_EVENTS, _check_end),
    }

    def _heard(self, payment: Payment) -> ScreeningOutcome | None:
        """What payments has heard of screening so far."""
        return self._said(payment, payment.screening.outcome if payment.screening is not None else None)

    def _heard_before(self, payment: Payment, what: str, count: int) -> ScreeningOutcome | None:
        """What payments had heard of screening when it saw this the nth time, n being count: its batch may go on."""
        heard, seen = None, 0
        for step in payment.steps:
            if step.what in ("compliance answered", "compliance looked again"):
                heard = ScreeningOutcome(step.detail)
            seen += step.what == what
            if seen == count:
                return self._said(payment, heard)
        raise AssertionError(f"{payment} never saw {what!r} {count} times")

    def _said(self, payment: Payment, heard: ScreeningOutcome | None) -> ScreeningOutcome | None:
        assert heard is None or heard in self._known[payment.payment_id].screenings, "nobody has said that"
        return heard

    def _assert_usable(self, payer: str, payee: str) -> None:
        """Either may be the house, which may do both."""
        neither = False, False
        assert payer in house_accounts() or self._usable.get(payer, neither)[0], "who may not pay has paid"
        assert payee in house_accounts() or self._usable.get(payee, neither)[1], "who may not receive has received"

    # After every sweep of payments

    def check_deadlines(self) -> None:
        """Nothing waits longer than it should without someone being asked, or its end."""
        now, policy = self.world.now, self.payments.policy
        for payment in self.payments.payments.values():
            age = now - payment.entered_at
            if payment.has_ended:
                continue
            assert payment.deadline_at is not None and payment.deadline_at > now, "the sweep has left something"
            assert payment.check_at is not None and payment.check_at <= payment.deadline_at
            if payment.state is PaymentState.INITIATED:
                assert age < policy.suspend_after, "a payment waits for answers for too long"
            if payment.state is PaymentState.SUSPENDED:
                # One that could not be given back when its time was over is looked at again at its next deadline.
                was_asked_about = any(
                    at >= payment.entered_at + policy.review_within for at in self._overdue[payment.payment_id]
                )
                is_free = payment.screening is not None and payment.screening.outcome is ScreeningOutcome.CLEAR
                is_to_be_blocked = payment.resolution is CaseDecision.BLOCK
                # And screening may have cleared it only after its time was over.
                looks = [step.at for step in payment.steps if step.what == "compliance looked again"]
                is_new = now - max([payment.entered_at, *looks]) < policy.review_within
                may_wait = is_new or was_asked_about or not is_free or is_to_be_blocked
                assert may_wait, "nobody decides, for too long"
            elif payment.state is PaymentState.AUTHORISED:
                assert payment.deadline_at == self._known[payment.payment_id].capture_by, "it stays too long"
            elif age >= policy.ask_again_after:
                assert any(at >= payment.entered_at for at in self._overdue[payment.payment_id]), "nobody was asked"

        for refund in self.payments.refunds.values():
            if refund.state is RefundState.REQUESTED:
                assert refund.check_at is not None and refund.check_at > now, "the sweep has left a refund"
                was_asked = self._refunds[refund.refund_id].was_asked_again
                assert was_asked or now - refund.requested_at < policy.ask_again_after, "nobody asked about a refund"

    # Whenever nobody waits for anything

    def check_at_rest(self) -> None:
        """All have heard all: who was asked again has answered, and what they know of one another agrees."""
        unanswered = self._unanswered or self._refunds_unanswered
        assert not unanswered, f"nobody answered when asked again: {unanswered}"
        for account_id, known in self.payments.accounts.items():
            status = self.accounts.accounts[account_id].status
            assert known.may_pay == (status is AccountStatus.OPEN)
            assert known.may_receive == (status in (AccountStatus.OPEN, AccountStatus.DEBITS_FROZEN))
        for customer_id, customer in self.compliance.customers.items():
            assert self.accounts.customers[customer_id].status is ACCOUNTS_CUSTOMER_STATUS[customer.status]
            if customer.status in (CustomerStatus.REFUSED, CustomerStatus.RESTRICTED):
                mine = [a for a in self.accounts.accounts.values() if a.customer_id == customer_id]
                assert all(account.status in (AccountStatus.FROZEN, AccountStatus.CLOSED) for account in mine), (
                    "a restricted customer can pay, or be paid"
                )
        for payment in self.payments.payments.values():
            self._check_case(payment)
            self._check_shown(payment)

    def _check_shown(self, payment: Payment) -> None:
        """A client reads what it was told on the topic or has asked for itself, and each once."""
        known = self._known[payment.payment_id]
        lines = [step.what for step in payment.steps if not step.is_internal]
        shown = Counter(line for line in lines if line not in SHOWN_OF_REFUNDS)
        assert shown.keys() <= SHOWN_ONCE and max(shown.values()) == 1, f"a client can tell from {shown}"
        refunds = [refund for refund in self._refunds.values() if refund.payment_id == payment.payment_id]
        if len(payment.steps) < STEPS_MAX:
            assert lines.count("refund requested") == len(refunds)
            for end in (RefundState.SETTLED, RefundState.REJECTED):
                assert lines.count(f"refund {end}") == sum(refund.end is end for refund in refunds)
        assert ("authorised" in shown) == (known.capture_by is not None)
        assert ("captured" in shown) == (known.captured is not None)
        assert ("approved" in shown) == (known.approval_count > 0 and known.captured is None)

    def _check_case(self, payment: Payment) -> None:
        """People see what is known of what waits for them, and nothing else waits for them."""
        case = self.compliance.cases.get(payment_case_id(payment.payment_id))
        is_held = payment.is_funded and not self._known[payment.payment_id].was_released
        if payment.is_listed and is_held and not payment.is_case_taken:
            # Or it was approved before that was heard: see _check_let_through.
            is_under_way = payment.state in (PaymentState.APPROVED, PaymentState.SETTLED)
            is_blocked = payment.state in (PaymentState.BLOCKING, PaymentState.BLOCKED)
            assert is_blocked or is_under_way, "listed money waits for nobody"
        if payment.state is PaymentState.SUSPENDED and payment.resolution is None:
            assert case is not None and not case.has_ended, f"nobody is asked about {payment}"
            assert case.payment is not None and case.payment.evidence == payment.evidence, "people see something old"
            assert case.payment.reasons == payment.reasons
            self._check_newest_list(payment, case)
        elif case is not None and payment.has_ended and payment.payment_id not in self.world.replayed["compliance"]:
            # Compliance keeps no note of every payment that was refused, so a suspension that is replayed after
            # its end opens a case; an analyst closes it.
            assert case.has_ended, f"people are asked about {payment}"

    def _check_newest_list(self, payment: Payment, case: Case) -> None:
        """What waits for people is known as the newest screening told it, and that was by the newest list."""
        heard = self._heard(payment)
        assert heard is None or heard is self._known[payment.payment_id].screenings[-1], "payments heeds old lists"
        version, personal = self.compliance.index.version, payment.order.personal
        assert isinstance(personal, PaymentPersonalData)
        is_listed = bool({personal.debtor.name, personal.creditor.name} & {*names_on_list(version)})
        if heard is not None and case.catalogue_version == version:
            assert heard is ScreeningOutcome.BLOCK or not is_listed, "a party listed meanwhile waits on"

    # At the end

    def check_at_the_end(self) -> None:
        """Every payment has had one end, and its money is where that end says."""
        self.check_at_rest()
        payments = self.payments.payments
        initiated = {p.event.payment_id for p in self.world.log if isinstance(p.event, PaymentInitiated)}
        assert initiated == payments.keys()
        for payment in payments.values():
            known = self._known[payment.payment_id]
            assert known.end is payment.state, f"told as {known.end}, kept as {payment.state}"
            assert self.accounts.holds[payment.payment_id].status in HOLDS_AT_THE_END[payment.state]
            assert payment.captured == known.captured
            assert payment.settled == (known.posted if payment.state is PaymentState.SETTLED else None)
            self._check_expected(payment, known)
        self.books.check_at_the_end(self._of_payments())
        self._check_refunds()
        self._check_fees()
        self._check_what_fraud_counted()
        blocked = Counter(found.payment_id for found in self.compliance.blocked)
        of_payments = [p.payment_id for p in payments.values() if p.state is PaymentState.BLOCKED]
        assert blocked == Counter([*of_payments, *self.books.let_go_by.values()]), (
            "property is reported that is none, or is not"
        )

    def _check_expected(self, payment: Payment, known: Known) -> None:
        """Who was listed did not get through, and what was good did."""
        heard = Counter(step.what for step in payment.steps)
        assert all(heard[answer] <= 1 for answer in ANSWERS), "a repeated answer changes nothing"
        screening = self._heard(payment)
        is_good = (known.fraud, screening, known.funds) == (FraudOutcome.ALLOW, ScreeningOutcome.CLEAR, FundsHeld)
        is_undisturbed = not (
            known.was_suspended
            or known.was_refused_posting
            or known.was_released
            or payment.payment_id in self.withdrawn
        )
        if is_good and is_undisturbed and (payment.capture is Capture.AUTOMATIC or known.captured is not None):
            assert payment.state is PaymentState.SETTLED, f"a good payment was {payment.state}"
        if known.funds is FundsDeclined:
            assert payment.state in (PaymentState.REJECTED, PaymentState.CANCELLED)
        if screening is ScreeningOutcome.BLOCK and known.funds is FundsHeld and not known.was_released:
            # Settled only if payments heard of it when accounts had been told already: see _check_let_through.
            assert payment.state in (PaymentState.BLOCKED, PaymentState.SETTLED), f"listed money was {payment.state}"
        decisions = [step.detail for step in payment.steps if step.what == "reviewers decided"]
        if decisions[-1:] == [CaseDecision.BLOCK] and known.funds is FundsHeld and not known.was_released:
            assert payment.state is PaymentState.BLOCKED, f"what people blocked was {payment.state}"
        if decisions[-1:] == [CaseDecision.BLOCK] and known.funds is FundsHeld:
            assert payment.internal_reason is not InternalReason.REVIEWER_REJECTED
        looks = {
            step.detail for step in payment.steps if step.what in ("compliance answered", "compliance looked again")
        }
        assert looks != {ScreeningOutcome.BLOCK} or payment.state is not PaymentState.SETTLED
        if payment.state in (PaymentState.REJECTED, PaymentState.CANCELLED):
            seen = [step.what for step in payment.steps]
            is_late = "funds held" in seen[seen.index(payment.state) :]
            assert known.is_release_requested == is_late, "a hold that came after the end is released"

    def _of_payments(self) -> list[Movement]:
        """What each settled and each blocked payment and each settled refund has moved, once."""
        moved: list[Movement] = []
        for payment in self.payments.payments.values():
            order, charge = payment.order, self._charge(payment)
            payer, currency = order.debtor_account_id, order.currency
            if payment.state is PaymentState.SETTLED:
                moved.append((TransferKind.PAYMENT, payer, order.creditor_account_id, charge.amount_minor, currency))
                if charge.fee_minor:
                    fees = house_account_id(AccountKind.FEES, currency)
                    moved.append((TransferKind.FEE, payer, fees, charge.fee_minor, currency))
            elif payment.state is PaymentState.BLOCKED:
                held_minor = order.amount_minor + order.fee_minor
                blocked_funds = house_account_id(AccountKind.BLOCKED_FUNDS, currency)
                moved.append((TransferKind.BLOCKING, payer, blocked_funds, held_minor, currency))
        for refund in self._refunds.values():
            if refund.end is RefundState.SETTLED:
                order = self.payments.payments[refund.payment_id].order
                parties = order.creditor_account_id, order.debtor_account_id
                moved.append((TransferKind.REFUND, *parties, refund.amount_minor, order.currency))
        return moved

    def _check_refunds(self) -> None:
        """Each refund has had one end, in accounts' view the same; no more is given back than was settled."""
        kept = self.payments.refunds
        assert kept.keys() == self._refunds.keys() == self.accounts.refunds.keys()
        of_accounts, of_payments = Counter[str](), Counter[str]()
        for refund_id, known in self._refunds.items():
            assert known.end is kept[refund_id].state, f"told as {known.end}, kept as {kept[refund_id]}"
            assert (known.end is RefundState.SETTLED) == (
                self.accounts.refunds[refund_id].status is RefundStatus.POSTED
            )
            if known.end is RefundState.SETTLED:
                of_payments[known.payment_id] += known.amount_minor
                of_accounts[known.payment_id] += self.accounts.refunds[refund_id].amount_minor
        for payment_id, payment in self.payments.payments.items():
            settled_minor = payment.settled.amount_minor if payment.settled is not None else 0
            assert payment.refunded_minor == of_payments[payment_id] <= settled_minor
            hold = self.accounts.holds[payment_id]
            assert hold.refunded_minor == of_accounts[payment_id] <= hold.posted_minor

    def _check_fees(self) -> None:
        """All fees of settled payments are with the house, and nothing else is."""
        fees = Counter[str]()
        for payment in self.payments.payments.values():
            if payment.settled is not None:
                fees[payment.order.currency] += payment.settled.fee_minor
        for account in self.accounts.accounts.values():
            if account.kind is AccountKind.FEES:
                assert account.posted_minor == fees.pop(account.currency, 0)
        assert not any(fees.values()), "a fee is nowhere"

    def _check_what_fraud_counted(self) -> None:
        """Every payment is in its parties' histories once, but for those from the future, and its label with it."""
        assert self.fraud.assessments.keys() == self.payments.payments.keys()
        orders = [payment.order for payment in self.payments.payments.values()]
        from_future = {
            a.payment_id for a in self.fraud.assessments.values() if any("future" in f.rule for f in a.findings)
        }
        remembered = [p.order for p in self.payments.payments.values() if p.payment_id not in from_future]
        for kind, count in (
            (EntityKind.DEBTOR, Counter(order.debtor_account_id for order in remembered)),
            (EntityKind.CREDITOR, Counter(order.creditor_account_id for order in remembered)),
        ):
            found = {e.entity_id: e for e in self.fraud.entities.values() if e.kind is kind}
            for entity_id, expected in count.items():
                past = found[entity_id].history
                assert len(past.times) + past.forgotten_count <= expected, "a payment is in a history twice"
        judged_in_shadow = sorted(verdict.payment_id for verdict in self.fraud.shadow_verdicts)
        assert judged_in_shadow == sorted(self.fraud.assessments), "each is judged in the shadow once"
        outcomes = set(FraudOutcome)
        assert sum(t.payments for t in self.fraud.tallies if t.counted in outcomes) == len(orders)
        labels = {p.event.payment_id: p.event.label for p in self.world.log if isinstance(p.event, PaymentLabelled)}
        of_debtors = (p.event for p in self.world.log if isinstance(p.event, DebtorPaymentLabelled))
        assert labels == {event.payment_id: event.label for event in of_debtors}, "a label is not told to both sides"
        for label, counted in ((Label.FRAUD, "frauds"), (Label.GENUINE, "genuine")):
            told = sum(getattr(tally, counted) for tally in self.fraud.tallies if tally.counted in outcomes)
            assert told == Counter(labels.values())[label], "labels are not counted once"
        frauds = [self.payments.payments[id_].order for id_, label in labels.items() if label is Label.FRAUD]
        self._check_labels_in_histories(EntityKind.DEBTOR, Counter(order.debtor_account_id for order in frauds))
        self._check_labels_in_histories(EntityKind.CREDITOR, Counter(order.creditor_account_id for order in frauds))

    def _check_labels_in_histories(self, kind: EntityKind, frauds: Counter[str]) -> None:
        """Each is with its payment, unless the payment is too old for a history, or too far ahead."""
        for entity in self.fraud.entities.values():
            if entity.kind is kind:
                labels = (entity.history.labels + entity.blocked.labels).count(FRAUD_LABEL)
                assert labels <= frauds[entity.entity_id], "a label is in a history twice"
                is_all_there = len(entity.history.times) + len(entity.blocked.times) == self._paid(
                    kind, entity.entity_id
                )
                assert labels == frauds[entity.entity_id] or not is_all_there, "a label got lost"

    def _paid(self, kind: EntityKind, account_id: str) -> int:
        """How many payments an account has ever been asked for, or was to get."""
        orders = [payment.order for payment in self.payments.payments.values()]
        if kind is EntityKind.DEBTOR:
            return sum(order.debtor_account_id == account_id for order in orders)
        return sum(order.creditor_account_id == account_id for order in orders)


def fee_due(fees: FeeSchedule, amount_minor: int, currency: str) -> int:
    """What a schedule says, worked out in another way than payments does."""
    if currency not in fees:
        return 0
    rule = fees[currency]
    share = (Decimal(amount_minor) * rule.share_ppm / 1_000_000).quantize(Decimal(1), ROUND_HALF_UP)
    fee_minor = max(rule.fixed_minor + int(share), rule.minimum_minor)
    return fee_minor if rule.maximum_minor is None else min(fee_minor, rule.maximum_minor)


def read_amount(text: str | None, most_minor: int, currency: str) -> int | str:
    """The minor units that a client asks for, or why it can't have them."""
    try:
        minor = Decimal(most_minor) if text is None else Decimal(text).scaleb(SCALES[currency])
    except InvalidOperation:
        return "amount_invalid"
    if minor <= 0 or minor != int(minor):
        return "amount_invalid"
    return int(minor) if minor <= most_minor else "amount_too_large"
