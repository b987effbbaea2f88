"""What is remembered of payers, payees and devices: one row each, locked by whoever may change it."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.writes import Table
from services.fraud.domain import history
from services.fraud.domain.entities import Entity, EntityKind, Risk
from services.fraud.domain.knowledge import EntityKey

ENTITIES = Table(
    "entities",
    key={"kind": "entity_kind", "entity_id": "uuid"},
    changing={
        "history": "bytea",
        "blocked": "bytea",
        "label_sequence": "bigint",
        "risk": "bytea",
    },
)

_RISK = struct.Struct("<qqqq?qq")


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
              SELECT history, blocked, label_sequence, risk FROM entities
               WHERE kind = k.kind AND entity_id = k.entity_id OFFSET 0) AS e""",
        columns,
        binary=True,
    )
    for number, past, blocked, label_sequence, risk in rows:
        kind, entity_id = keys[number - 1]
        found[kind][entity_id] = Entity(
            kind=kind,
            entity_id=entity_id,
            history=history.unpack(past),
            blocked=history.unpack(blocked),
            label_sequence=label_sequence,
            risk=unpack_risk(risk),
        )
    return found


def row_of(entity: Entity) -> tuple[Any, ...]:
    return (
        entity.kind.value,
        entity.entity_id,
        history.pack(entity.history),
        history.pack(entity.blocked),
        entity.label_sequence,
        pack_risk(entity.risk),
    )


def pack_risk(risk: Risk | None) -> bytes | None:
    """A snapshot as the bytes that are stored: one column to rewrite at every payment instead of seven."""
    if risk is None:
        return None
    return _RISK.pack(
        risk.version,
        risk.labelled_count,
        risk.fraud_count,
        risk.counterpart_count,
        risk.is_counterpart_count_exact,
        risk.window_days,
        risk.as_of_micros,
    )


def unpack_risk(packed: bytes | None) -> Risk | None:
    """The snapshot in stored bytes."""
    if packed is None:
        return None
    version, labelled, frauds, counterparts, is_exact, window_days, as_of_micros = _RISK.unpack(packed)
    return Risk(
        version=version,
        labelled_count=labelled,
        fraud_count=frauds,
        counterpart_count=counterparts,
        is_counterpart_count_exact=is_exact,
        window_days=window_days,
        as_of_micros=as_of_micros,
    )
