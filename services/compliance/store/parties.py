"""Parties once screened, by a hash of what is known of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.record import Record
from libs.common.writes import Table, Writes
from services.compliance.domain.parties import ScreenedParty
from services.compliance.matching.screening import CLEAR, Verdict

FORGOTTEN_MAX = 20_000
"""How many expired parties are forgotten at once."""

PARTIES = Table(
    "screened_parties",
    key={"party_key": "uuid"},
    changing={"verdict": "text", "expires_at": "timestamptz"},
    # Another batch may have found the same: the later date stands.
    on_conflict="""(party_key) DO UPDATE SET verdict = excluded.verdict, expires_at = excluded.expires_at
        WHERE old.expires_at < excluded.expires_at""",
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode


class Remembered(Record):
    """What is remembered about some parties, and the version of the lists at that moment."""

    catalogue_version: int
    verdicts: Mapping[str, Verdict]


def find_remembered(tx: Connection, party_keys: Sequence[str], now: datetime) -> Remembered:
    """What is known about parties, and whether the lists have changed: one query a batch."""
    rows = fetch(
        tx,
        """SELECT c.version, p.party_key, p.verdict
             FROM catalogue c
             LEFT JOIN screened_parties p ON p.party_key = ANY(%b::uuid[]) AND p.expires_at > %s""",
        (array("uuid", party_keys), now),
    )
    verdicts = {key: _decode(verdict) if verdict else CLEAR for _, key, verdict in rows if key is not None}
    return Remembered(catalogue_version=rows[0][0], verdicts=verdicts)


def party_row(party: ScreenedParty) -> tuple[Any, ...]:
    """A row of PARTIES."""
    return party.party_key, None if party.verdict == CLEAR else _encode(party.verdict).decode(), party.expires_at


def has_expired(tx: Connection, now: datetime) -> bool:
    ((found,),) = fetch(tx, "SELECT EXISTS (SELECT FROM screened_parties WHERE expires_at <= %s)", (now,))
    return bool(found)


def forget_expired(writes: Writes, now: datetime) -> None:
    """Forget parties whose time is over, the oldest first. Waits for nobody."""
    writes.add(
        """DELETE FROM screened_parties WHERE party_key IN (
             SELECT party_key FROM screened_parties WHERE expires_at <= %s
              ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED)""",
        (now, FORGOTTEN_MAX),
    )
