"""The tables of fraud, and the only SQL that writes them."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.message import Message
from libs.common.record import replace
from libs.common.writes import Table, Writes
from schemas.fraud.events import CreditorRiskUpdated, FraudFinding, FraudOutcome, Label
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentOrder
from services.fraud.domain import history, label_days
from services.fraud.domain.entities import CreditorRisk, Entity, EntityKind, device_entity_id
from services.fraud.domain.knowledge import Assessment, Knowledge, Tally
from services.fraud.domain.labelling import LabelPayment
from services.fraud.domain.rule_set import RuleSet

_ENTITIES = Table(
    "entities",
    key={"kind": "entity_kind", "entity_id": "uuid"},
    changing={
        "history": "bytea",
        "blocked": "bytea",
        "label_days": "bytea",
        "label_sequence": "bigint",
        "risk_version": "bigint",
        "risk_labelled_count": "bigint",
        "risk_fraud_count": "bigint",
        "risk_window_days": "integer",
        "risk_as_of_micros": "bigint",
    },
)
ASSESSMENTS = Table(
    "assessments",
    key={"payment_id": "uuid"},
    fixed={
        "debtor_account_id": "uuid",
        "creditor_account_id": "uuid",
        "instructed_at": "timestamptz",
        "outcome": "text",
        "score": "double precision",
        "findings": "text",
        "rules_version": "text",
        "risk_version": "bigint",
        "assessed_at": "timestamptz",
    },
    changing={"label": "text", "scenario": "text", "labelled_at": "timestamptz", "sequence": "bigint"},
)
_TALLY_SLOTS = 64
"""Processes that count the same rules add to rows of their own, most likely, and so don't wait for one another."""
_TALLIES = Table(
    "tallies",
    fixed={
        "slot": "smallint",
        "rules_version": "text",
        "counted": "text",
        "payments": "bigint",
        "frauds": "bigint",
        "genuine": "bigint",
    },
    on_conflict="""(slot, rules_version, counted) DO UPDATE
        SET payments = old.payments + excluded.payments, frauds = old.frauds + excluded.frauds,
            genuine = old.genuine + excluded.genuine""",
)

_encode_findings = msgspec.json.Encoder().encode
_decode_findings = msgspec.json.Decoder(tuple[FraudFinding, ...]).decode

EntityKey = tuple[EntityKind, str]


def load_knowledge(tx: Connection, messages: Sequence[Message], *, rule_set: RuleSet) -> Knowledge:
    """Lock and read all that a batch can touch. Order of locks: entities, by kind and id; nothing else is locked.

    An assessment changes only under the locks of its parties, so it is read after they are held.
    """
    bodies = [message.body for message in messages]
    orders = {body.payment_id: body.order for body in bodies if _asks_for_assessment(body)}
    labelled = _parties_of(tx, {body.payment_id for body in bodies if isinstance(body, LabelPayment)})
    keys = {key for order in orders.values() for key in _parties(order)}
    keys |= {key for parties in labelled.values() for key in parties}
    keys |= {(EntityKind.CREDITOR, b.creditor_account_id) for b in bodies if isinstance(b, CreditorRiskUpdated)}
    entities = _lock_entities(tx, sorted(keys))
    return Knowledge(
        rule_set=rule_set,
        debtors=entities[EntityKind.DEBTOR],
        creditors=entities[EntityKind.CREDITOR],
        devices=entities[EntityKind.DEVICE],
        assessments=_find_assessments(tx, orders.keys() | labelled.keys()),
    )


def save_knowledge(writes: Writes, knowledge: Knowledge) -> None:
    """Say what is to be written of what changed."""
    writes.update(_ENTITIES, map(_entity_row, knowledge.changed_entities))
    writes.save(ASSESSMENTS, knowledge.assessments, _assessment_row)
    writes.insert(_TALLIES, _tally_rows(knowledge.tallies))


def is_buried(tx: Connection, letter_id: str) -> bool:
    """Whether there is a dead letter of this id."""
    return bool(fetch(tx, "SELECT 1 FROM dead_letters WHERE event_id = %s", (letter_id,)))


def _asks_for_assessment(body: Any) -> bool:
    if isinstance(body, PaymentAnswerOverdue):
        return Answer.FRAUD in body.awaited
    return isinstance(body, PaymentInitiated)


def _parties(order: PaymentOrder) -> list[EntityKey]:
    parties = [
        (EntityKind.DEBTOR, order.debtor_account_id),
        (EntityKind.CREDITOR, order.creditor_account_id),
    ]
    return [*parties, (EntityKind.DEVICE, device_entity_id(order.device_id))] if order.device_id else parties


def _parties_of(tx: Connection, payment_ids: set[str]) -> dict[str, list[EntityKey]]:
    """The two accounts of each payment that is known. They never change, so this needs no lock."""
    if not payment_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT payment_id, debtor_account_id, creditor_account_id FROM assessments
            WHERE payment_id = ANY(%b::uuid[])""",
        (array("uuid", payment_ids),),
    )
    return {
        payment_id: [(EntityKind.DEBTOR, debtor), (EntityKind.CREDITOR, creditor)]
        for payment_id, debtor, creditor in rows
    }


def _lock_entities(tx: Connection, keys: Sequence[EntityKey]) -> dict[EntityKind, dict[str, Entity]]:
    """Lock the entities' rows in one pass in order of their keys, adding those that are not there yet.

    One statement does both, because a transaction that locked what exists and then added what doesn't
    would go through the keys twice, and two such transactions could wait for one another.
    """
    found: dict[EntityKind, dict[str, Entity]] = defaultdict(dict)
    if not keys:
        return found
    columns = array("text", [kind.value for kind, _ in keys]), array("uuid", [entity_id for _, entity_id in keys])
    execute(
        tx,
        """INSERT INTO entities AS e (kind, entity_id, history, blocked, label_days, label_sequence)
           SELECT kind, entity_id, '', '', '', 0
             FROM unnest(%b::text[]::entity_kind[], %b::uuid[]) AS k (kind, entity_id) ORDER BY kind, entity_id
           ON CONFLICT (kind, entity_id) DO UPDATE SET label_sequence = e.label_sequence WHERE false""",
        columns,
    )
    # OFFSET 0: each key by the index, whatever the planner thinks of a batch's size.
    rows = fetch(
        tx,
        """SELECT k.number, e.* FROM unnest(%b::text[]::entity_kind[], %b::uuid[])
                                     WITH ORDINALITY AS k (kind, entity_id, number)
            CROSS JOIN LATERAL (
              SELECT history, blocked, label_days, label_sequence, risk_version, risk_labelled_count,
                     risk_fraud_count, risk_window_days, risk_as_of_micros
                FROM entities WHERE kind = k.kind AND entity_id = k.entity_id OFFSET 0) AS e""",
        columns,
        binary=True,
    )
    for number, *values in rows:
        kind, entity_id = keys[number - 1]
        found[kind][entity_id] = _entity(kind, entity_id, *values)
    return found


def _entity(
    kind: EntityKind,
    entity_id: str,
    past: bytes,
    blocked: bytes,
    labels: bytes,
    sequence: int,
    version: int | None,
    *risk: int,
) -> Entity:
    return Entity(
        kind=kind,
        entity_id=entity_id,
        history=history.unpack(past),
        blocked=history.unpack(blocked),
        label_days=label_days.unpack(labels),
        label_sequence=sequence,
        risk=None if version is None else _risk(version, *risk),
    )


def _risk(version: int, labelled_count: int, fraud_count: int, window_days: int, as_of_micros: int) -> CreditorRisk:
    return CreditorRisk(
        version=version,
        labelled_count=labelled_count,
        fraud_count=fraud_count,
        window_days=window_days,
        as_of_micros=as_of_micros,
    )


def _entity_row(entity: Entity) -> tuple[Any, ...]:
    risk = entity.risk
    return (
        entity.kind.value,
        entity.entity_id,
        history.pack(entity.history),
        history.pack(entity.blocked),
        label_days.pack(entity.label_days),
        entity.label_sequence,
        risk and risk.version,
        risk and risk.labelled_count,
        risk and risk.fraud_count,
        risk and risk.window_days,
        risk and risk.as_of_micros,
    )


def _find_assessments(tx: Connection, payment_ids: Iterable[str]) -> dict[str, Assessment]:
    wanted = list(payment_ids)
    if not wanted:
        return {}
    rows = fetch(
        tx, f"SELECT {ASSESSMENTS.select} FROM assessments WHERE payment_id = ANY(%b::uuid[])", (array("uuid", wanted),)
    )
    return {row[0]: assessment_of(row) for row in rows}


def assessment_of(row: Sequence[Any]) -> Assessment:
    """A row of ASSESSMENTS as what it means."""
    payment_id, debtor, creditor, instructed_at, outcome, score, findings, rules_version, risk_version, *rest = row
    assessed_at, label, scenario, labelled_at, sequence = rest
    return Assessment(
        payment_id=payment_id,
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        instructed_at=instructed_at,
        outcome=FraudOutcome(outcome),
        score=score,
        findings=_decode_findings(findings) if findings else (),
        rules_version=rules_version,
        risk_version=risk_version,
        assessed_at=assessed_at,
        label=Label(label) if label else None,
        scenario=scenario,
        labelled_at=labelled_at,
        sequence=sequence,
    )


def _assessment_row(assessment: Assessment) -> tuple[Any, ...]:
    return (
        assessment.payment_id,
        assessment.debtor_account_id,
        assessment.creditor_account_id,
        assessment.instructed_at,
        assessment.outcome.value,
        assessment.score,
        _encode_findings(assessment.findings).decode() if assessment.findings else None,
        assessment.rules_version,
        assessment.risk_version,
        assessment.assessed_at,
        assessment.label and assessment.label.value,
        assessment.scenario,
        assessment.labelled_at,
        assessment.sequence,
    )


def _tally_rows(tallies: Iterable[Tally]) -> list[tuple[Any, ...]]:
    """What is to be added, in the order of its keys, for others may be adding to the same."""
    sums: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        key = (tally.rules_version, tally.counted)
        sums[key] = _sum(sums[key], tally) if key in sums else tally
    slot = os.getpid() % _TALLY_SLOTS
    return sorted((slot, *key, tally.payments, tally.frauds, tally.genuine) for key, tally in sums.items())


def _sum(one: Tally, other: Tally) -> Tally:
    return replace(
        one,
        payments=one.payments + other.payments,
        frauds=one.frauds + other.frauds,
        genuine=one.genuine + other.genuine,
    )
