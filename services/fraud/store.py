"""The tables of fraud, and the only SQL that writes them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import copy, execute, fetch
from libs.common.message import Message
from libs.common.record import replace
from schemas.fraud.events import CreditorRiskUpdated, FraudFinding, FraudOutcome, Label
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentOrder
from services.fraud.domain import history, label_days
from services.fraud.domain.entities import CreditorRisk, Entity, EntityKind, device_entity_id
from services.fraud.domain.knowledge import Assessment, Knowledge, Tally
from services.fraud.domain.labelling import LabelPayment
from services.fraud.domain.rule_set import RuleSet

TALLY_SLOTS = 64

ASSESSMENT = """payment_id, debtor_account_id, creditor_account_id, instructed_at, outcome, score, findings,
                 rules_version, risk_version, assessed_at, label, scenario, labelled_at, sequence"""

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


def save_knowledge(tx: Connection, knowledge: Knowledge) -> None:
    """Write back in bulk what changed. The tallies come last: other workers wait for them, if only in their slot."""
    _update_entities(tx, knowledge.changed_entities)
    _insert_assessments(tx, knowledge.assessments.inserted)
    _update_assessments(tx, knowledge.assessments.updated)
    _add_tallies(tx, knowledge.tallies)


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
        (list(payment_ids),),
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
    columns = ([kind.value for kind, _ in keys], [entity_id for _, entity_id in keys])
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


def _update_entities(tx: Connection, entities: Sequence[Entity]) -> None:
    if not entities:
        return
    risks = [entity.risk for entity in entities]
    execute(
        tx,
        """UPDATE entities e SET history = v.history, blocked = v.blocked, label_days = v.label_days,
                  label_sequence = v.label_sequence, risk_version = v.version, risk_labelled_count = v.labelled_count,
                  risk_fraud_count = v.fraud_count, risk_window_days = v.window_days,
                  risk_as_of_micros = v.as_of_micros
             FROM unnest(%b::text[]::entity_kind[], %b::uuid[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bigint[],
                         %b::bigint[], %b::bigint[], %b::bigint[], %b::integer[], %b::bigint[])
                  AS v (kind, entity_id, history, blocked, label_days, label_sequence, version, labelled_count,
                        fraud_count, window_days, as_of_micros)
            WHERE e.kind = v.kind AND e.entity_id = v.entity_id""",
        (
            [entity.kind.value for entity in entities],
            [entity.entity_id for entity in entities],
            [history.pack(entity.history) for entity in entities],
            [history.pack(entity.blocked) for entity in entities],
            [label_days.pack(entity.label_days) for entity in entities],
            [entity.label_sequence for entity in entities],
            [risk and risk.version for risk in risks],
            [risk and risk.labelled_count for risk in risks],
            [risk and risk.fraud_count for risk in risks],
            [risk and risk.window_days for risk in risks],
            [risk and risk.as_of_micros for risk in risks],
        ),
    )


def _find_assessments(tx: Connection, payment_ids: Iterable[str]) -> dict[str, Assessment]:
    wanted = list(payment_ids)
    if not wanted:
        return {}
    rows = fetch(tx, f"SELECT {ASSESSMENT} FROM assessments WHERE payment_id = ANY(%b::uuid[])", (wanted,))
    return {row[0]: assessment_of(row) for row in rows}


def assessment_of(row: Sequence[Any]) -> Assessment:
    """A row of ASSESSMENT as what it means."""
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


def _insert_assessments(tx: Connection, assessments: Sequence[Assessment]) -> None:
    if assessments:
        copy(
            tx,
            f"COPY assessments ({ASSESSMENT}) FROM STDIN (FORMAT BINARY)",
            ("uuid", "uuid", "uuid", "timestamptz", "text", "float8", "text", "text", "int8", "timestamptz", "text",
             "text", "timestamptz", "int8"),
            map(_assessment_row, assessments),
        )  # fmt: skip


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


def _update_assessments(tx: Connection, assessments: Sequence[Assessment]) -> None:
    if assessments:
        execute(
            tx,
            """UPDATE assessments a SET label = v.label, scenario = v.scenario, labelled_at = v.labelled_at,
                      sequence = v.sequence
                 FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::bigint[])
                      AS v (payment_id, label, scenario, labelled_at, sequence)
                WHERE a.payment_id = v.payment_id""",
            (
                [a.payment_id for a in assessments],
                [a.label and a.label.value for a in assessments],
                [a.scenario for a in assessments],
                [a.labelled_at for a in assessments],
                [a.sequence for a in assessments],
            ),
        )


def _add_tallies(tx: Connection, tallies: Iterable[Tally]) -> None:
    sums: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        key = (tally.rules_version, tally.counted)
        sums[key] = _sum(sums[key], tally) if key in sums else tally
    if sums:
        rows = [sums[key] for key in sorted(sums)]
        execute(
            tx,
            """INSERT INTO tallies AS t (slot, rules_version, counted, payments, frauds, genuine)
               SELECT pg_backend_pid() %% %s, v.* FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[],
                                                             %b::bigint[]) AS v
               ON CONFLICT (slot, rules_version, counted) DO UPDATE
                 SET payments = t.payments + excluded.payments, frauds = t.frauds + excluded.frauds,
                     genuine = t.genuine + excluded.genuine""",
            (
                TALLY_SLOTS,
                [tally.rules_version for tally in rows],
                [tally.counted for tally in rows],
                [tally.payments for tally in rows],
                [tally.frauds for tally in rows],
                [tally.genuine for tally in rows],
            ),
        )


def _sum(one: Tally, other: Tally) -> Tally:
    return replace(
        one,
        payments=one.payments + other.payments,
        frauds=one.frauds + other.frauds,
        genuine=one.genuine + other.genuine,
    )
