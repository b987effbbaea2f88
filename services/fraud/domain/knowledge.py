"""What fraud knows while it decides on a batch: entities with their past, and its own answers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.record import Record
from libs.common.state import Aggregates, Journal, Numbered, State
from schemas.fraud.events import (
    ASSESSMENT,
    DEBTOR_LABEL,
    LABEL,
    LIST,
    VERSION,
    FraudFinding,
    FraudOutcome,
    Label,
    VersionKind,
    VersionState,
)
from schemas.payments.events import Channel
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
    channel: Channel
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
    debtor_snapshot_version: int | None = None
    """Of the features worker's snapshot that was known of the payer; None if there was none, or it was too old."""
    creditor_snapshot_version: int | None = None
    is_remembered: bool = True
    """Whether it became part of anyone's past: not if it was only asked about, nor if dated far ahead."""
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
    judged_at: datetime


class Version(Record):
    """One version of a rulebook, or of a model."""

    key: str
    kind: VersionKind
    version: str
    """Of its content: the beginning of its hash."""
    name: str
    state: VersionState
    content: bytes
    fields: tuple[str, ...]
    """What it asks of a payment."""
    added_by: str
    added_at: datetime
    sequence: int = 0


class VersionChange(Record):
    """Who gave a version which state, and why."""

    version_id: str
    state: VersionState
    changed_by: str
    reason: str
    changed_at: datetime


class ListEntry(Record):
    """An account or a device on a list."""

    entry_id: str
    kind: EntityKind
    entity_id: str
    list_name: str
    reason: str
    added_by: str
    added_at: datetime
    until: datetime | None
    sequence: int = 0

    def holds(self, at: datetime) -> bool:
        """Whether it still counts."""
        return self.until is None or at < self.until


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


class Arrival(Record):
    """How a payment came, beside those that its parties' pasts hold already. Watched, not stored."""

    behind_seconds: float
    """How much newer the newest of them is: 0 where payments come in order of their time."""
    is_forgotten: bool
    """Too old to be taken into everyone's past."""
    is_late: bool
    is_crowded: bool
    is_from_future: bool


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
        listed: Mapping[EntityKey, Sequence[ListEntry]],
        list_entries: Mapping[str, ListEntry],
        versions: Mapping[str, Version],
    ) -> None:
        """`listed` are the entries of the entities; `list_entries` and `versions`, locked, those to be changed."""
        self.panel = panel
        self._listed = listed
        self.list_entries: Aggregates[ListEntry] = Aggregates(list_entries)
        self.versions: Aggregates[Version] = Aggregates(versions)
        self.debtors: Aggregates[Entity] = Aggregates(debtors)
        self.creditors: Aggregates[Entity] = Aggregates(creditors)
        self.devices: Aggregates[Entity] = Aggregates(devices)
        self.assessments: Aggregates[Assessment] = Aggregates(assessments)
        self.version_changes: Journal[VersionChange] = Journal()
        self.shadow_verdicts: Journal[ShadowVerdict] = Journal()
        self.tallies: Journal[Tally] = Journal()
        self.arrivals: Journal[Arrival] = Journal()
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
            self.list_entries,
            self.versions,
            self.version_changes,
            self.shadow_verdicts,
            self.tallies,
            self.arrivals,
            numbering={
                ASSESSMENT: Numbered(aggregates=self.assessments),
                LABEL: Numbered(aggregates=self.creditors, counter="label_sequence"),
                DEBTOR_LABEL: Numbered(aggregates=self.debtors, counter="label_sequence"),
                LIST: Numbered(aggregates=self.list_entries),
                VERSION: Numbered(aggregates=self.versions),
            },
        )

    def entity(self, kind: EntityKind, entity_id: str) -> Entity:
        """What is remembered of an entity: nothing, if it was never seen."""
        return self._entities[kind].get(entity_id) or Entity(kind=kind, entity_id=entity_id)

    def lists_of(self, kind: EntityKind, entity_id: str, at: datetime) -> frozenset[str]:
        """The lists that an entity is on."""
        entries = self._listed.get((kind, entity_id))
        return frozenset(entry.list_name for entry in entries if entry.holds(at)) if entries else _NO_LISTS

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
