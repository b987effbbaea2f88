"""What is remembered of payers, payees and devices: one row each, locked by whoever may change it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.writes import Table
from services.fraud.domain import history
from services.fraud.domain.entities import CreditorRisk, Entity, EntityKind
from services.fraud.domain.knowledge import EntityKey

ENTITIES = Table(
    "entities",
    key={"kind": "entity_kind", "entity_id": "uuid"},
    changing={
        "history": "bytea",
        "blocked": "bytea",
        "label_sequence": "bigint",
        "risk_version": "bigint",
        "risk_labelled_count": "bigint",
        "risk_fraud_count": "bigint",
        "risk_window_days": "integer",
        "risk_as_of_micros": "bigint",
    },
)


def lock(tx: Connection, keys: Sequence[EntityKey]) -> dict[EntityKind, dict[str, Entity]]:
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
        """INSERT INTO entities AS e (kind, entity_id, history, blocked, label_sequence)
           SELECT kind, entity_id, '', '', 0
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
              SELECT history, blocked, label_sequence, risk_version, risk_labelled_count,
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
    sequence: int,
    version: int | None,
    *risk: int,
) -> Entity:
    return Entity(
        kind=kind,
        entity_id=entity_id,
        history=history.unpack(past),
        blocked=history.unpack(blocked),
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


def row_of(entity: Entity) -> tuple[Any, ...]:
    risk = entity.risk
    return (
        entity.kind.value,
        entity.entity_id,
        history.pack(entity.history),
        history.pack(entity.blocked),
        entity.label_sequence,
        risk and risk.version,
        risk and risk.labelled_count,
        risk and risk.fraud_count,
        risk and risk.window_days,
        risk and risk.as_of_micros,
    )
