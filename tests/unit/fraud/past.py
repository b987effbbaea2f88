"""Payments and their pasts kept in memory, and short words for what happens to them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.batch import Decided, Refusal, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.record import Record
from schemas.fraud.events import FraudAssessed, Label
from schemas.payments.events import (
    Answer,
    Channel,
    Party,
    PaymentAnswerOverdue,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)
from services.fraud.domain.entities import Entity, EntityKind, device_entity_id
from services.fraud.domain.facts import CreditorFacts, DebtorFacts, DeviceFacts, Facts
from services.fraud.domain.knowledge import Assessment, Knowledge, Tally
from services.fraud.domain.label_days import LabelCount
from services.fraud.domain.labelling import LabelPayment
from services.fraud.domain.rule_set import RuleSet, rule_set
from services.fraud.handlers import handlers
from services.fraud.settings import FraudSettings

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
HANDLERS = handlers(FraudSettings(database_url="postgresql://nowhere"))

ANN, SHOP, CLEO = ids.named("ann's account"), ids.named("the shop's account"), ids.named("cleo's account")
NO_LABELS = LabelCount(labelled=0, fraud=0)


def payment_id(number: int) -> str:
    return ids.named("payment", str(number))


def order(
    amount_minor: int = 10_00,
    *,
    debtor: str = ANN,
    creditor: str = SHOP,
    at: datetime = START,
    channel: Channel = Channel.WEB,
    country: str | None = "DE",
    **fields: Any,
) -> PaymentOrder:
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        debtor_customer_id=ids.named("ann"),
        creditor_customer_id=ids.named("shop"),
        amount_minor=amount_minor,
        currency=fields.pop("currency", "EUR"),
        channel=channel,
        instructed_at=at,
        personal=PaymentPersonalData(debtor=Party(name="Ann", country=country), creditor=Party(name="Shop")),
        **fields,
    )


def initiated(number: int, ordered: PaymentOrder) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id(number), order=ordered, initiated_at=START)


def overdue(number: int, ordered: PaymentOrder, *awaited: Answer) -> PaymentAnswerOverdue:
    return PaymentAnswerOverdue(payment_id=payment_id(number), order=ordered, awaited=awaited, overdue_at=START)


def labelled(number: int, label: Label = Label.FRAUD, scenario: str | None = None) -> LabelPayment:
    return LabelPayment(payment_id=payment_id(number), label=label, scenario=scenario)


class Desk:
    """Decides as the service does, and keeps what it decided."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        self.rules = rules or rule_set()
        self.now = START
        self.entities: dict[tuple[EntityKind, str], Entity] = {}
        self.assessments: dict[str, Assessment] = {}
        self.tallies: list[Tally] = []
        self.numbers: list[int] = []
        """The places among its aggregate's events of what was told last."""

    def hears(self, *bodies: Record) -> list[Event]:
        """Decide on messages in one batch. Raises AssertionError if one of them would be a dead letter."""
        events, results = self._run(bodies)
        for result in results:
            assert result.outcome is Outcome.APPLIED, result.error
            assert result.refusal is None, result.refusal
        return events

    def refuses(self, body: Record) -> str | None:
        _, (result,) = self._run([body])
        return result.refusal.reason if isinstance(result.refusal, Refusal) else None

    def assess(self, number: int, ordered: PaymentOrder) -> FraudAssessed:
        (event,) = self.hears(initiated(number, ordered))
        assert isinstance(event, FraudAssessed)
        return event

    def entity(self, kind: EntityKind, entity_id: str) -> Entity:
        return self.entities[kind, entity_id]

    def tally(self, counted: str) -> tuple[int, int, int]:
        """Payments, frauds and genuine ones that a rule or an outcome is counted with."""
        found = [tally for tally in self.tallies if tally.counted == counted]
        return sum(t.payments for t in found), sum(t.frauds for t in found), sum(t.genuine for t in found)

    def _run(self, bodies: Sequence[Record]) -> tuple[list[Event], list[Decided]]:
        events: list[Event] = []

        def keep(event: Event) -> bytes:
            events.append(event)
            return b""

        knowledge = self._knowledge(bodies)
        results = decide_all(HANDLERS, knowledge, [self._message(body) for body in bodies], keep)
        self.numbers = [int(row.headers["ce_sequence"]) for result in results for row in result.rows]
        for entity in knowledge.changed_entities:
            self.entities[entity.kind, entity.entity_id] = entity
        for assessment in (*knowledge.assessments.inserted, *knowledge.assessments.updated):
            self.assessments[assessment.payment_id] = assessment
        self.tallies += knowledge.tallies
        return events, results

    def _knowledge(self, bodies: Sequence[Record]) -> Knowledge:
        """Everything known, and a row for everyone who may come up, as the store makes them."""
        loaded = dict(self.entities)
        for ordered in (getattr(body, "order", None) for body in bodies):
            if isinstance(ordered, PaymentOrder):
                keys = [
                    (EntityKind.DEBTOR, ordered.debtor_account_id),
                    (EntityKind.CREDITOR, ordered.creditor_account_id),
                    (EntityKind.DEVICE, device_entity_id(ordered.device_id or "")),
                ]
                loaded = {key: Entity(kind=key[0], entity_id=key[1]) for key in keys} | loaded
        for known in self.assessments.values():
            for key in ((EntityKind.DEBTOR, known.debtor_account_id), (EntityKind.CREDITOR, known.creditor_account_id)):
                loaded.setdefault(key, Entity(kind=key[0], entity_id=key[1]))
        for account_id in (getattr(body, "creditor_account_id", None) for body in bodies):
            if account_id is not None:
                key = (EntityKind.CREDITOR, account_id)
                loaded.setdefault(key, Entity(kind=key[0], entity_id=account_id))
        return Knowledge(
            rule_set=self.rules,
            debtors=_of(loaded, EntityKind.DEBTOR),
            creditors=_of(loaded, EntityKind.CREDITOR),
            devices=_of(loaded, EntityKind.DEVICE),
            assessments=self.assessments,
        )

    def _message(self, body: Record) -> Message:
        trace = Trace(correlation_id=payment_id(0), traceparent="")
        return Message(message_id=ids.new(), body=body, received_at=self.now, trace=trace)


def _of(entities: dict[tuple[EntityKind, str], Entity], wanted: EntityKind) -> dict[str, Entity]:
    return {entity_id: entity for (kind, entity_id), entity in entities.items() if kind is wanted}


def facts(
    amount_minor: int = 10_00,
    *,
    debtor: dict[str, Any] | None = None,
    creditor: dict[str, Any] | None = None,
    device: dict[str, Any] | None = None,
    **fields: Any,
) -> Facts:
    """A payment of which no rule has anything to say, but for what is changed."""
    values: dict[str, Any] = {
        "amount_minor": amount_minor,
        "amount_cents": amount_minor,
        "currency": "EUR",
        "channel": Channel.WEB,
        "is_by_program": False,
        "is_cash": False,
        "hour": 12,
        "ip_country": None,
        "debtor_country": None,
        "debtor": DebtorFacts(**{**_QUIET_DEBTOR, **(debtor or {})}),
        "creditor": CreditorFacts(**{**_QUIET_CREDITOR, **(creditor or {})}),
        "device": DeviceFacts(**{**_QUIET_DEVICE, **device}) if device is not None else None,
        "is_late": False,
        "is_from_future": False,
        "is_crowded": False,
    }
    return Facts(**{**values, **fields})


_QUIET_DEBTOR: dict[str, Any] = {
    "count_1h": 1,
    "count_1d": 1,
    "sum_1d_minor": 0,
    "sum_7d_minor": 0,
    "earlier_count": 0,
    "average_minor": 0,
    "highest_minor": 0,
    "idle_days": None,
    "creditors_1d": 1,
    "pays_creditor_first_time": False,
    "same_amount_count": 0,
    "below_threshold_count": 0,
    "labels": NO_LABELS,
}
_QUIET_CREDITOR: dict[str, Any] = {"earlier_count": 0, "debtors_1d": 1, "labels": NO_LABELS, "risk": None}
_QUIET_DEVICE: dict[str, Any] = {"is_new_to_debtor": False, "debtors_7d": 1}

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
