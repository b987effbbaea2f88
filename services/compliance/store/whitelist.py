"""Pairs of party and entry in the database: locked, found for those who are screened, and as rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table, lock_rows
from services.compliance.domain.whitelist import Pair, PairState
from services.compliance.domain.whitelisting import PairCommand, ProposePair

PAIRS = Table(
    "whitelist_pairs",
    key={"pair_id": "uuid"},
    fixed={"party": "uuid"},
    changing={"state": "text", "until": "timestamptz", "changed_at": "timestamptz", "body": "text"},
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pair).decode


def lock_pairs(tx: Connection, bodies: Sequence[Any]) -> dict[str, Pair]:
    """Those that people act on."""
    wanted = {body.pair_id for body in bodies if isinstance(body, ProposePair | PairCommand)}
    return {pair_id: _decode(body) for pair_id, body in lock_rows(tx, PAIRS, wanted, "pair_id, body")}


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


def pair_of(body: str) -> Pair:
    """A pair as it is kept."""
    return _decode(body)


def pair_row(pair: Pair) -> tuple[Any, ...]:
    """A row of PAIRS."""
    changed_at = pair.ended_at or pair.confirmed_at or pair.proposed_at
    return pair.pair_id, pair.party, pair.state.value, pair.until, changed_at, _encode(pair).decode()
