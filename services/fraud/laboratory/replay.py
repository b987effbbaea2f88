"""Known payments through the very decisions that live ones go through, with labels that come some time later.

    payments in order of time ─► assess ─► … label_delay later ─► label ─► snapshot

What is remembered is a dictionary instead of a table; loading, deciding and saving a batch are otherwise the same.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from libs.common.batch import Refusal
from libs.common.record import Record
from schemas.fraud.events import DebtorPaymentLabelled, Label, PartyRiskUpdated, PaymentLabelled
from schemas.payments.events import PaymentInitiated, PaymentOrder
from services.fraud.domain import party_risk
from services.fraud.domain.assessing import assess
from services.fraud.domain.entities import Entity, EntityKind
from services.fraud.domain.knowledge import Assessment, Knowledge, Panel
from services.fraud.domain.labelling import LabelPayment, label, take_snapshot
from services.fraud.domain.party_risk import Counted, Party

BATCH_SIZE = 1_000


class KnownPayment(Record):
    """A payment of the past, and what it turned out to be, if that is known."""

    payment_id: str
    order: PaymentOrder
    label: Label | None = None


class Replay:
    """Replays payments, in order of time."""

    def __init__(self, panel: Panel, *, label_delay: timedelta) -> None:
        self._panel = panel
        self._label_delay = label_delay
        self._entities: dict[EntityKind, dict[str, Entity]] = {kind: {} for kind in EntityKind}
        self._assessments: dict[str, Assessment] = {}
        """Those whose labels are still to come."""
        self._done: list[str] = []
        """Those of the present batch to which nothing will come any more."""
        self._unlabelled: deque[tuple[KnownPayment, Label]] = deque()
        self._risks: dict[Party, Counted] = {}

    def run(self, payments: Iterable[KnownPayment]) -> Iterator[tuple[KnownPayment, Assessment]]:
        """Each payment with its assessment."""
        rest = iter(payments)
        while batch := list(islice(rest, BATCH_SIZE)):
            yield from self._run(batch)

    def _run(self, batch: Sequence[KnownPayment]) -> Iterator[tuple[KnownPayment, Assessment]]:
        knowledge = self._load()
        for payment in batch:
            at = payment.order.instructed_at
            self._label_until(knowledge, at)
            yield payment, _assess(knowledge, payment, at)
            if payment.label is None:
                self._done.append(payment.payment_id)
            else:
                self._unlabelled.append((payment, payment.label))
        self._save(knowledge)

    def _load(self) -> Knowledge:
        return Knowledge(
            panel=self._panel,
            debtors=self._entities[EntityKind.DEBTOR],
            creditors=self._entities[EntityKind.CREDITOR],
            devices=self._entities[EntityKind.DEVICE],
            assessments=self._assessments,
            listed={},
            list_entries={},
            versions={},
        )

    def _save(self, knowledge: Knowledge) -> None:
        for kind, entities in self._entities.items():
            entities.update((entity.entity_id, entity) for entity in knowledge.put_entities(kind))
        self._assessments.update((one.payment_id, one) for one in knowledge.assessments.inserted)
        for payment_id in self._done:
            del self._assessments[payment_id]
        self._done.clear()

    def _label_until(self, knowledge: Knowledge, at: datetime) -> None:
        while self._unlabelled and self._unlabelled[0][0].order.instructed_at + self._label_delay <= at:
            payment, known = self._unlabelled.popleft()
            self._label(knowledge, payment.payment_id, known, at)
            self._done.append(payment.payment_id)

    def _label(self, knowledge: Knowledge, payment_id: str, known: Label, at: datetime) -> None:
        events = label(knowledge, LabelPayment(payment_id=payment_id, label=known), at)
        assert not isinstance(events, Refusal), events
        for event, sequence in zip(events, knowledge.number(events), strict=True):
            assert isinstance(event, PaymentLabelled | DebtorPaymentLabelled)
            take_snapshot(knowledge, self._snapshot(event, sequence), at)
        knowledge.keep()

    def _snapshot(self, event: PaymentLabelled | DebtorPaymentLabelled, sequence: int) -> PartyRiskUpdated:
        told = party_risk.party_label(event)
        known = party_risk.count(self._risks.get(told.party, Counted()), told, offset=sequence, sequence=sequence)
        self._risks[told.party] = known
        return party_risk.snapshot(known, told.party, generation=1)


def _assess(knowledge: Knowledge, payment: KnownPayment, at: datetime) -> Assessment:
    assess(knowledge, PaymentInitiated(payment_id=payment.payment_id, order=payment.order, initiated_at=at), at)
    knowledge.keep()
    return knowledge.assessments[payment.payment_id]
