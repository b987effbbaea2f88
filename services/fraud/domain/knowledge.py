"""What fraud knows while it decides on a batch: entities with their past, and its own answers. Pure."""

from collections.abc import Mapping
from datetime import datetime

from libs.common.record import Record
from libs.common.state import Aggregates, Journal, Numbered, State
from schemas.fraud.events import ASSESSMENT, LABEL, FraudFinding, FraudOutcome, Label
from services.fraud.domain.entities import Entity, EntityKind
from services.fraud.domain.features import Value
from services.fraud.domain.judging import Judge


EntityKey = tuple[EntityKind, str]

_NO_LISTS: frozenset[str] = frozenset()


class Assessment(Record):
    """Fraud's answer about one payment. Once made it never changes; what it turned out to be is added to it."""

    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    device_entity_id: str | None = None
    amount_minor: int
    currency: str
    instructed_at: datetime
    outcome: FraudOutcome
    score: float
    findings: tuple[FraudFinding, ...] = ()
    rules_version: str
    model_version: str | None = None
    """None where rules judged alone."""
    model_score: float | None = None
    values: tuple[Value, ...] = ()
    """Of the judge's fields: what the decision went by."""
    risk_version: int | None = None
    """Of the payee's snapshot that was known then, if any."""
    assessed_at: datetime
    label: Label | None = None
    scenario: str | None = None
    labelled_at: datetime | None = None
    sequence: int = 0


class ShadowVerdict(Record):
    """What a judge in the shadow would have answered."""

    payment_id: str
    rules_version: str
    model_version: str | None
    model_score: float | None
    outcome: FraudOutcome
    score: float
    rules: tuple[str, ...]
    """Those that fired."""


class Panel(Record):
    """Who judges: one with effect, and others whose answers are only recorded."""

    live: Judge
    shadows: tuple[Judge, ...] = ()


class Tally(Record):
    """One more, or one less, of what a rule found or an outcome was."""

    rules_version: str
    counted: str
    """The name of a rule, or an outcome."""
    payments: int = 0
    frauds: int = 0
    genuine: int = 0


class Knowledge(State):
    """What a batch may touch: entities, locked; assessments; and what is appended, counts and verdicts of shadows."""

    def __init__(
        self,
        *,
        panel: Panel,
        debtors: Mapping[str, Entity],
        creditors: Mapping[str, Entity],
        devices: Mapping[str, Entity],
        assessments: Mapping[str, Assessment],
        lists: Mapping[EntityKey, frozenset[str]],
    ) -> None:
        self.panel = panel
        self._lists = lists
        self.debtors: Aggregates[Entity] = Aggregates(debtors)
        self.creditors: Aggregates[Entity] = Aggregates(creditors)
        self.devices: Aggregates[Entity] = Aggregates(devices)
        self.assessments: Aggregates[Assessment] = Aggregates(assessments)
        self.shadow_verdicts: Journal[ShadowVerdict] = Journal()
        self.tallies: Journal[Tally] = Journal()
        self._entities = {
            EntityKind.DEBTOR: self.debtors,
            EntityKind.CREDITOR: self.creditors,
            EntityKind.DEVICE: self.devices,
        }
        super().__init__(
            self.debtors,
            self.creditors,
            self.devices,
            self.assessments,
            self.shadow_verdicts,
            self.tallies,
            numbering={
                ASSESSMENT: Numbered(aggregates=self.assessments),
                LABEL: Numbered(aggregates=self.creditors, counter="label_sequence"),
            },
        )

    def entity(self, kind: EntityKind, entity_id: str) -> Entity:
        """What is remembered of an entity: nothing, if it was never seen."""
        return self._entities[kind].get(entity_id) or Entity(kind=kind, entity_id=entity_id)

    def lists_of(self, kind: EntityKind, entity_id: str) -> frozenset[str]:
        """The lists that an entity is on."""
        return self._lists.get((kind, entity_id), _NO_LISTS)

    def put(self, entity: Entity) -> None:
        self._entities[entity.kind].put(entity.entity_id, entity)

    def put_entities(self, kind: EntityKind) -> list[Entity]:
        """Those of a kind that decisions have put."""
        part = self._entities[kind]
        return [*part.inserted, *part.updated]

    @property
    def changed_entities(self) -> list[Entity]:
        """Those to be saved: all of them were loaded, for a batch locks whatever it may touch."""
        assert not any(part.inserted for part in self._entities.values())
        return [entity for part in self._entities.values() for entity in part.updated]
