"""A backtest: known payments through the very decisions that live ones go through, and how well each rule did.

    payments in order of time ─► assess ─► … label_delay later ─► label ─► snapshot

Everything is kept in memory, for as long as it takes.
"""

from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from libs.common.batch import Refusal
from libs.common.record import Record
from schemas.fraud.events import CreditorRiskUpdated, FraudAssessed, Label, PaymentLabelled
from schemas.payments.events import PaymentInitiated, PaymentOrder
from services.fraud.domain import creditor_risk
from services.fraud.domain.assessing import assess
from services.fraud.domain.creditor_risk import Counted
from services.fraud.domain.knowledge import Knowledge
from services.fraud.domain.labelling import LabelPayment, label, take_snapshot
from services.fraud.domain.rule_set import RuleSet


class KnownPayment(Record):
    """A payment of the past, and what it turned out to be."""

    payment_id: str
    order: PaymentOrder
    label: Label


class Score(Record):
    """How well a rule, or an outcome, told fraud from the rest."""

    counted: str
    payments: int
    frauds: int
    frauds_in_all: int

    @property
    def precision(self) -> float:
        """The share of fraud among what it chose."""
        return self.frauds / self.payments if self.payments else 0.0

    @property
    def recall(self) -> float:
        """The share of all fraud that it chose."""
        return self.frauds / self.frauds_in_all if self.frauds_in_all else 0.0


class Backtest:
    """Replays payments, with labels that come some time after them, as they do in life."""

    def __init__(self, rule_set: RuleSet, *, label_delay: timedelta) -> None:
        self.knowledge = Knowledge(rule_set=rule_set, debtors={}, creditors={}, devices={}, assessments={})
        self._label_delay = label_delay
        self._waiting: deque[KnownPayment] = deque()
        self._risks: dict[str, Counted] = {}
        self._payments: Counter[str] = Counter()
        self._frauds: Counter[str] = Counter()

    def run(self, payments: Iterable[KnownPayment], *, is_counted: bool = True) -> None:
        """Decide on payments, in order of time. Without `is_counted` they only become the past of later ones."""
        for payment in payments:
            self._label_until(payment)
            assessed = self._assess(payment)
            self._waiting.append(payment)
            if is_counted:
                self._count(payment, assessed)

    @property
    def scores(self) -> list[Score]:
        """The outcomes and rules that fired, most often first."""
        frauds_in_all = self._frauds["all"]
        return [
            Score(counted=name, payments=count, frauds=self._frauds[name], frauds_in_all=frauds_in_all)
            for name, count in self._payments.most_common()
        ]

    def _assess(self, payment: KnownPayment) -> FraudAssessed:
        at = payment.order.instructed_at
        event = PaymentInitiated(payment_id=payment.payment_id, order=payment.order, initiated_at=at)
        (assessed,) = assess(self.knowledge, event, at)
        self.knowledge.keep()
        assert isinstance(assessed, FraudAssessed)
        return assessed

    def _label_until(self, payment: KnownPayment) -> None:
        at = payment.order.instructed_at
        while self._waiting and self._waiting[0].order.instructed_at + self._label_delay <= at:
            self._label(self._waiting.popleft(), at)

    def _label(self, known: KnownPayment, at: datetime) -> None:
        events = label(self.knowledge, LabelPayment(payment_id=known.payment_id, label=known.label), at)
        assert not isinstance(events, Refusal), events
        for event, sequence in zip(events, self.knowledge.number(events), strict=True):
            assert isinstance(event, PaymentLabelled)
            take_snapshot(self.knowledge, self._snapshot(event, sequence), at)
        self.knowledge.keep()

    def _snapshot(self, event: PaymentLabelled, sequence: int) -> CreditorRiskUpdated:
        account_id = event.creditor_account_id
        known = creditor_risk.count(self._risks.get(account_id, Counted()), event, offset=sequence, sequence=sequence)
        self._risks[account_id] = known
        return creditor_risk.snapshot(known, account_id, generation=1)

    def _count(self, payment: KnownPayment, assessed: FraudAssessed) -> None:
        names = ["all", assessed.outcome.value, *(finding.rule for finding in assessed.findings)]
        self._payments.update(names)
        if payment.label is Label.FRAUD:
            self._frauds.update(names)
