"""Parties once screened, by a hash of what is known of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record
from services.compliance.domain.parties import ScreenedParty
from services.compliance.matching.screening import CLEAR, Verdict

FORGOTTEN_MAX = 20_000
"""How many expired parties are forgotten at once."""

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
             LEFT JOIN screened_parties p ON p.party_key = ANY(%s::uuid[]) AND p.expires_at > %s""",
        (list(party_keys), now),
    )
    verdicts = {key: _decode(verdict) if verdict else CLEAR for _, key, verdict in rows if key is not None}
    return Remembered(catalogue_version=rows[0][0], verdicts=verdicts)


def save_screened(tx: Connection, parties: Sequence[ScreenedParty]) -> None:
    """Remember parties, in the order of their keys. Another batch may have found the same: the later date stands."""
    if parties:
        execute(
            tx,
            """INSERT INTO screened_parties AS known (party_key, verdict, expires_at)
               SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[])
               ON CONFLICT (party_key) DO UPDATE SET verdict = excluded.verdict, expires_at = excluded.expires_at
                     WHERE known.expires_at < excluded.expires_at""",
            (
                [party.party_key for party in parties],
                [None if party.verdict == CLEAR else _encode(party.verdict).decode() for party in parties],
                [party.expires_at for party in parties],
            ),
        )


def has_expired(tx: Connection, now: datetime) -> bool:
    ((found,),) = fetch(tx, "SELECT EXISTS (SELECT FROM screened_parties WHERE expires_at <= %s)", (now,))
    return bool(found)


def forget_expired(tx: Connection, now: datetime) -> int:
    """Forget parties whose time is over, the oldest first; return how many. Waits for nobody."""
    return execute(
        tx,
        """DELETE FROM screened_parties WHERE party_key IN (
             SELECT party_key FROM screened_parties WHERE expires_at <= %s
              ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED)""",
        (now, FORGOTTEN_MAX),
    )
