"""Pairs of party and entry in the database: locked, found for those who are screened, and as rows."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table, lock_rows, writing
from services.compliance.domain.whitelist import Pair, PairState
from services.compliance.domain.whitelisting import ConfirmPair, ExpirePair, PairCommand, ProposePair

CONCERNED_MAX = 1_000
"""Customers of whom the same is known, to the day of birth: more would be a mistake in what is known."""

PAIRS = Table(
    "whitelist_pairs",
    key={"pair_id": "uuid"},
    fixed={"party": "uuid"},
    changing={
        "state": "text",
        "until": "timestamptz",
        "changed_at": "timestamptz",
        "is_waiting": "boolean",
        "body": "text",
    },
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pair).decode


def lock_pairs(tx: Connection, bodies: Sequence[Any]) -> dict[str, Pair]:
    """Those that people act on."""
    wanted = {body.pair_id for body in bodies if isinstance(body, ProposePair | PairCommand | ExpirePair)}
    return lock(tx, wanted)


def lock(tx: Connection, pair_ids: Collection[str]) -> dict[str, Pair]:
    """Some pairs, whatever became of them."""
    return {pair_id: _decode(body) for pair_id, body in lock_rows(tx, PAIRS, pair_ids, "pair_id, body")}


def find(tx: Connection, pair_ids: Collection[str]) -> dict[str, Pair]:
    """The same as they are at this moment, not locked."""
    rows = fetch(
        tx, "SELECT pair_id, body FROM whitelist_pairs WHERE pair_id = ANY(%b::uuid[])", (array("uuid", pair_ids),)
    )
    return {pair_id: _decode(body) for pair_id, body in rows}


def save(tx: Connection, pairs: Sequence[Pair], *, known: Collection[str]) -> None:
    """Keep pairs; `known`: the ids of those that are there already, and locked."""
    with writing(tx) as writes:
        writes.insert(PAIRS, (pair_row(pair) for pair in pairs if pair.pair_id not in known))
        writes.update(PAIRS, (pair_row(pair) for pair in pairs if pair.pair_id in known))


def find_in_force(tx: Connection, parties: Sequence[str], now: datetime) -> Mapping[str, tuple[Pair, ...]]:
    """What is ruled out now for some parties."""
    rows = fetch(
        tx,
        "SELECT party, body FROM whitelist_pairs WHERE party = ANY(%b::uuid[]) AND state = %s AND until > %s",
        (array("uuid", parties), PairState.IN_FORCE.value, now),
    )
    found: defaultdict[str, tuple[Pair, ...]] = defaultdict(tuple)
    for party, body in rows:
        found[party] += (_decode(body),)
    return found


def find_expired(tx: Connection, now: datetime, at_most: int) -> list[str]:
    """Pairs in force whose time is over."""
    rows = fetch(
        tx,
        "SELECT pair_id FROM whitelist_pairs WHERE state = %s AND until <= %s ORDER BY until, pair_id LIMIT %s",
        (PairState.IN_FORCE.value, now, max(at_most, 0)),
    )
    return [pair_id for (pair_id,) in rows]


def find_concerned(tx: Connection, bodies: Sequence[Any]) -> set[str]:
    """The customers of whom a pair that may end with this batch rules something out."""
    pair_ids = {body.pair_id for body in bodies if isinstance(body, ConfirmPair | ExpirePair)}
    if not pair_ids:
        return set()
    rows = fetch(
        tx,
        """SELECT customer_id FROM customers JOIN whitelist_pairs p USING (party)
            WHERE p.pair_id = ANY(%b::uuid[]) AND p.state = %s AND customers.status <> 'closed'
            ORDER BY customer_id LIMIT %s""",
        (array("uuid", pair_ids), PairState.IN_FORCE.value, CONCERNED_MAX),
    )
    return {customer_id for (customer_id,) in rows}


def pair_of(body: str) -> Pair:
    """A pair as it is kept."""
    return _decode(body)


def pair_row(pair: Pair) -> tuple[Any, ...]:
    """A row of PAIRS."""
    changed_at = pair.ended_at or pair.end_proposed_at or pair.confirmed_at or pair.proposed_at
    return (
        pair.pair_id,
        pair.party,
        pair.state.value,
        pair.until,
        changed_at,
        pair.is_waiting,
        _encode(pair).decode(),
    )
