"""Payments and their pasts kept in memory, and short words for what happens to them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.batch import Decided, Refusal, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.record import Record, replace
from libs.common.rough import euro_cents
from schemas.fraud.events import FraudAssessed, Label, PartyRiskUpdated
from schemas.payments.events import (
    Answer,
    Channel,
    Party,
    PaymentAnswerOverdue,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)
from services.fraud import rulebooks
from services.fraud.domain import history
from services.fraud.domain.entities import Entity, EntityKind, Risk, device_entity_id, fingerprint
from services.fraud.domain.features import FEATURES, Value
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.knowledge import (
    Assessment,
    EntityKey,
    Knowledge,
    ListEntry,
    Panel,
    ShadowVerdict,
    Tally,
    Version,
    VersionChange,
)
from services.fraud.domain.labelling import LabelPayment, party_of
from services.fraud.domain.moment import Lists, Moment, micros_of
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.handlers import handlers
from services.fraud.settings import FraudSettings

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""A Thursday at noon."""
HANDLERS = handlers(FraudSettings(database_url="postgresql://nowhere"))
MICROSECOND, MINUTE, HOUR, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ANN, SHOP, CLEO = ids.named("ann's account"), ids.named("the shop's account"), ids.named("cleo's account")


def payment_id(number: int) -> str:
    return ids.named("payment", str(number))


def account(number: int) -> str:
    """Somebody's, when it does not matter whose."""
    return ids.named("account", str(number))


def order(
    amount_minor: int = 10_00,
    *,
    debtor: str = ANN,
    creditor: str = SHOP,
    at: datetime = START,
    channel: Channel = Channel.BRANCH,
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


def rulebook(text: str) -> Rulebook:
    """A rulebook in the service's own words. Raises RulebookFaulty."""
    return compile_rulebook(f"threshold review 0.5\nthreshold block 0.9\n{text}", CATALOGUE)


NO_RULES = rulebook("")


def risk_of(labelled: int, frauds: int, counterparts: int = 0, *, as_of: datetime = START, version: int = 1) -> Risk:
    """What the features worker said of someone."""
    return Risk(
        version=version,
        labelled_count=labelled,
        fraud_count=frauds,
        counterpart_count=counterparts,
        is_counterpart_count_exact=True,
        window_days=30,
        as_of_micros=micros_of(as_of),
    )


class Paid(Record):
    """A payment of the past, and what became of it."""

    amount_minor: int = 10_00
    currency: str = "EUR"
    at: datetime
    debtor: str = ANN
    creditor: str = SHOP
    device: str | None = None
    label: Label | None = None
    is_blocked: bool = False


def moment_of(
    ordered: PaymentOrder,
    past: Iterable[Paid] = (),
    *,
    now: datetime | None = None,
    lists: Lists = Lists(),
    debtor_risk: Risk | None = None,
    creditor_risk: Risk | None = None,
) -> Moment:
    """A payment at the moment it is judged, after others."""
    device_id = device_entity_id(ordered.device_id) if ordered.device_id else None
    found = {
        key: Entity(kind=key[0], entity_id=key[1])
        for key in (
            (EntityKind.DEBTOR, ordered.debtor_account_id),
            (EntityKind.CREDITOR, ordered.creditor_account_id),
            (EntityKind.DEVICE, device_id or ""),
        )
    }
    for paid in past:
        for kind, entity_id, counterpart in _sides(paid):
            if (kind, entity_id) in found:
                found[kind, entity_id] = _grown(found[kind, entity_id], paid, fingerprint(counterpart))
    debtor, creditor, device = found.values()
    return Moment(
        ordered,
        debtor=replace(debtor, risk=debtor_risk),
        creditor=replace(creditor, risk=creditor_risk),
        device=device if device_id else None,
        now=now or ordered.instructed_at,
        lists=lists,
    )


def value_of(name: str, ordered: PaymentOrder, past: Iterable[Paid] = (), **more: Any) -> Value:
    """One feature of a payment after others."""
    return FEATURES[name].value(moment_of(ordered, past, **more))


def _sides(paid: Paid) -> Sequence[tuple[EntityKind, str, str]]:
    sides = [(EntityKind.DEBTOR, paid.debtor, paid.creditor), (EntityKind.CREDITOR, paid.creditor, paid.debtor)]
    return [*sides, (EntityKind.DEVICE, device_entity_id(paid.device), paid.debtor)] if paid.device else sides


def _grown(entity: Entity, paid: Paid, counterpart: int) -> Entity:
    field = "blocked" if paid.is_blocked else "history"
    at_micros, amount_cents = micros_of(paid.at), euro_cents(paid.amount_minor, paid.currency)
    past = history.add(getattr(entity, field), at_micros=at_micros, amount_cents=amount_cents, counterpart=counterpart)
    if paid.label is not None:
        past = history.relabel(
            past,
            at_micros=at_micros,
            amount_cents=amount_cents,
            counterpart=counterpart,
            before=None,
            after=paid.label,
        )
    return replace(entity, **{field: past})


class Desk:
    """Decides as the service does, and keeps what it decided, as long as it is what the service would have loaded."""

    def __init__(self, judge: Judge | None = None, *, shadows: Sequence[Judge] = ()) -> None:
        self.panel = Panel(live=judge or Judge(rulebooks.shipped()), shadows=tuple(shadows))
        self.now = START
        self.entities: dict[EntityKey, Entity] = {}
        self.assessments: dict[str, Assessment] = {}
        self.shadow_verdicts: list[ShadowVerdict] = []
        self.tallies: list[Tally] = []
        self.list_entries: dict[str, ListEntry] = {}
        self.versions: dict[str, Version] = {}
        self.version_changes: list[VersionChange] = []
        self.last: Knowledge
        """What the last batch did."""
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
        assert result.outcome is Outcome.APPLIED, result.error
        return result.refusal.reason if isinstance(result.refusal, Refusal) else None

    def assess(self, number: int, ordered: PaymentOrder) -> FraudAssessed:
        (event,) = self.hears(initiated(number, ordered))
        assert isinstance(event, FraudAssessed)
        return event

    def entity(self, kind: EntityKind, entity_id: str) -> Entity:
        return self.entities.get((kind, entity_id)) or Entity(kind=kind, entity_id=entity_id)

    def moment(self, ordered: PaymentOrder) -> Moment:
        """A payment as it would be judged now."""
        keys = _keys(ordered)
        debtor, creditor, *devices = (self.entity(kind, entity_id) for kind, entity_id in keys)
        on = [self._lists(key) for key in keys]
        return Moment(
            ordered,
            debtor=debtor,
            creditor=creditor,
            device=devices[0] if devices else None,
            now=self.now,
            lists=Lists(debtor=on[0], creditor=on[1], device=on[2] if devices else frozenset()),
        )

    def value(self, name: str, ordered: PaymentOrder) -> Value:
        """A feature of a payment as it would be judged now."""
        return FEATURES[name].value(self.moment(ordered))

    def values(self, number: int) -> dict[str, Value]:
        """What the live judge went by when it assessed a payment."""
        return dict(zip(self.panel.live.fields, self.assessments[payment_id(number)].values, strict=True))

    def tally(self, counted: str) -> tuple[int, int, int]:
        """Payments, frauds and genuine ones that a rule or an outcome is counted with."""
        found = [tally for tally in self.tallies if tally.counted == counted]
        return sum(t.payments for t in found), sum(t.frauds for t in found), sum(t.genuine for t in found)

    def _run(self, bodies: Sequence[Record]) -> tuple[list[Event], list[Decided]]:
        events: list[Event] = []

        def keep(event: Event) -> bytes:
            events.append(event)
            return b""

        knowledge = self.last = self._knowledge(bodies)
        results = decide_all(HANDLERS, knowledge, [self._message(body) for body in bodies], keep)
        self.numbers = [int(row.headers["ce_sequence"]) for result in results for row in result.rows]
        for entity in knowledge.changed_entities:
            self.entities[entity.kind, entity.entity_id] = entity
        for assessment in (*knowledge.assessments.inserted, *knowledge.assessments.updated):
            self.assessments[assessment.payment_id] = assessment
        for entry in (*knowledge.list_entries.inserted, *knowledge.list_entries.updated):
            self.list_entries[entry.entry_id] = entry
        for version in (*knowledge.versions.inserted, *knowledge.versions.updated):
            self.versions[version.key] = version
        self.shadow_verdicts += knowledge.shadow_verdicts
        self.tallies += knowledge.tallies
        self.version_changes += knowledge.version_changes
        return events, results

    def _knowledge(self, bodies: Sequence[Record]) -> Knowledge:
        """What the store would load: everyone who may come up, seen before or not."""
        keys = {key for body in bodies for key in self._touched(body)}
        loaded = {key: self.entities.get(key) or Entity(kind=key[0], entity_id=key[1]) for key in keys}
        return Knowledge(
            panel=self.panel,
            debtors=_of(loaded, EntityKind.DEBTOR),
            creditors=_of(loaded, EntityKind.CREDITOR),
            devices=_of(loaded, EntityKind.DEVICE),
            assessments=dict(self.assessments),
            listed={key: [e for e in self.list_entries.values() if (e.kind, e.entity_id) == key] for key in keys},
            list_entries=self.list_entries,
            versions=self.versions,
        )

    def _touched(self, body: Record) -> Sequence[EntityKey]:
        if isinstance(ordered := getattr(body, "order", None), PaymentOrder):
            return _keys(ordered)
        if isinstance(body, PartyRiskUpdated):
            key = party_of(body)
            return [key] if key else []
        known = self.assessments.get(body.payment_id) if isinstance(body, LabelPayment) else None
        if known is None:
            return []
        parties = (known.debtor_account_id, known.creditor_account_id, known.device_entity_id)
        return [(kind, id_) for kind, id_ in zip(EntityKind, parties, strict=True) if id_]

    def _lists(self, key: EntityKey) -> frozenset[str]:
        entries = (e for e in self.list_entries.values() if (e.kind, e.entity_id) == key)
        return frozenset(entry.list_name for entry in entries if entry.holds(self.now))

    def _message(self, body: Record) -> Message:
        trace = Trace(correlation_id=payment_id(0), traceparent="")
        return Message(message_id=ids.new(), body=body, received_at=self.now, trace=trace)


def _keys(ordered: PaymentOrder) -> list[EntityKey]:
    keys = [(EntityKind.DEBTOR, ordered.debtor_account_id), (EntityKind.CREDITOR, ordered.creditor_account_id)]
    return [*keys, (EntityKind.DEVICE, device_entity_id(ordered.device_id))] if ordered.device_id else keys


def _of(entities: dict[EntityKey, Entity], wanted: EntityKind) -> dict[str, Entity]:
    return {entity_id: entity for (kind, entity_id), entity in entities.items() if kind is wanted}
