"""Who may call an API: clients, and the keys they call with.

A client is a tenant: what it has ordered is its own, whichever of its keys it used, and no other client's. Its keys
have names, scopes, and perhaps an end; the next one is made before the last one ends, so that nothing stands still.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from libs.common import scopes as scopes_
from libs.common.api_keys import hash_key, hint_of, new_key
from libs.common.database import execute, fetch
from libs.common.rate_limit import Rate
from libs.common.record import Record
from libs.common.scopes import Scope

T = TypeVar("T")

CACHE_SECONDS = 10.0
"""How long a revoked key may still work."""
CACHE_SIZE_MAX = 10_000
FIRST_KEY = "main"
"""The name of a key that was given none."""
_LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"


class Client(Record):
    """A caller that has shown its key."""

    client_id: str
    scopes: frozenset[str]
    rate: Rate | None = None
    """How fast it may ask, if that is said of it."""

    @property
    def is_staff(self) -> bool:
        return Scope.STAFF in self.scopes

    @property
    def tenant_id(self) -> str | None:
        """Whose things it may see and touch: its own; None: everybody's, for staff."""
        return None if self.is_staff else self.client_id

    def may(self, needed: Sequence[str]) -> bool:
        return scopes_.allows(self.scopes, needed)


class KeyInfo(Record):
    """What is known of a key, which is all but the key itself."""

    client_id: str
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_on: Any
    """The day, in UTC: not more than what tells a key that can go."""
    revoked_at: datetime | None
    requests_per_second: float | None
    burst: int | None


class Clients:
    """Knows clients by their keys."""

    def __init__(self, administer: Callable[[Callable[[Connection], Client | None]], Client | None]) -> None:
        """`administer` runs a transaction of housekeeping."""
        self._administer = administer
        self._cache: dict[bytes, tuple[float, Client]] = {}

    def cached(self, key: str) -> Client | None:
        """The client, if it was looked up a moment ago: without touching the database."""
        found = self._cache.get(hash_key(key))
        return found[1] if found and found[0] > time.monotonic() else None

    def has_known(self, key: str) -> bool:
        """Whether it was a client's when it was looked up last, however long ago that is."""
        return hash_key(key) in self._cache

    def find(self, key: str) -> Client | None:
        """The client this key belongs to, or None. Raises Outage."""
        return self._administer(lambda tx: self._find(tx, hash_key(key)))

    def _find(self, tx: Connection, key_hash: bytes) -> Client | None:
        rows = fetch(
            tx,
            f"""SELECT client_id, k.scopes, requests_per_second, burst,
                       extract(epoch FROM k.expires_at - now())::float8,
                       k.last_used_on IS DISTINCT FROM (now() AT TIME ZONE 'UTC')::date
                  FROM client_keys k JOIN clients c USING (client_id) WHERE key_hash = %s AND {_LIVE}""",
            (key_hash,),
        )
        if not rows:
            self._cache.pop(key_hash, None)
            return None
        ((client_id, granted, per_second, burst, seconds_left, is_first_today),) = rows
        if is_first_today:
            execute(
                tx,
                "UPDATE client_keys SET last_used_on = (now() AT TIME ZONE 'UTC')::date WHERE key_hash = %s",
                (key_hash,),
            )
        rate = Rate(per_second=per_second, burst=burst) if per_second is not None else None
        client = Client(client_id=client_id, scopes=frozenset(granted), rate=rate)
        if len(self._cache) >= CACHE_SIZE_MAX:
            self._cache.clear()
        seconds = CACHE_SECONDS if seconds_left is None else min(CACHE_SECONDS, seconds_left)
        self._cache[key_hash] = (time.monotonic() + seconds, client)
        return client


def register(
    tx: Connection,
    client_id: str,
    key: str,
    scopes: Sequence[str],
    *,
    name: str = FIRST_KEY,
    expires_at: datetime | None = None,
) -> bool:
    """Let a client in with one more key; the same key again gets these scopes and this end instead of those it had.

    False, and nothing is changed, if another live key of the client has this name, or the key is another client's.
    """
    execute(
        tx,
        "INSERT INTO clients (client_id) VALUES (%s) ON CONFLICT (client_id) DO NOTHING",
        (client_id,),
    )
    key_hash = hash_key(key)
    return bool(
        fetch(
            tx,
            f"""INSERT INTO client_keys AS old (key_hash, client_id, name, hint, scopes, expires_at)
                SELECT %s, %s, %s, %s, %s::text[], %s::timestamptz
                 WHERE NOT EXISTS (
                   SELECT FROM client_keys WHERE client_id = %s AND name = %s AND key_hash <> %s AND {_LIVE})
                ON CONFLICT (key_hash) DO UPDATE
                  SET name = excluded.name, scopes = excluded.scopes, expires_at = excluded.expires_at,
                      revoked_at = NULL
                  WHERE old.client_id = excluded.client_id
                RETURNING 1""",
            (
                *(key_hash, client_id, name, hint_of(key), [str(scope) for scope in scopes], expires_at),
                *(client_id, name, key_hash),
            ),
        )
    )


def rotate(
    tx: Connection, client_id: str, name: str, *, overlap: timedelta, expires_at: datetime | None = None
) -> str | None:
    """A new key in place of all live ones of this name, with the newest one's scopes; those work on for the overlap.

    Those whose own overlap, of an earlier rotation, ends sooner end then: it may be one of them that was found where it
    should not be. None if the client has no live key of this name.
    """
    # Two rotations at once: the second ends what the first has made.
    fetch(tx, "SELECT 1 FROM clients WHERE client_id = %s FOR NO KEY UPDATE", (client_id,))
    ended = fetch(
        tx,
        f"""UPDATE client_keys SET expires_at = least(expires_at, now() + %s)
             WHERE client_id = %s AND name = %s AND {_LIVE} RETURNING created_at, scopes""",
        (overlap, client_id, name),
    )
    if not ended:
        return None
    _, scopes = max(ended)
    key = new_key()
    execute(
        tx,
        """INSERT INTO client_keys (key_hash, client_id, name, hint, scopes, expires_at)
           VALUES (%s, %s, %s, %s, %s::text[], %s)""",
        (hash_key(key), client_id, name, hint_of(key), scopes, expires_at),
    )
    return key


def revoke(tx: Connection, client_id: str, name: str | None = None) -> bool:
    """Let a client in no more with its keys of this name, or any of its keys; False if it has none in use."""
    revoked = fetch(
        tx,
        f"""UPDATE client_keys SET revoked_at = now()
             WHERE client_id = %s AND (%s::text IS NULL OR name = %s) AND {_LIVE} RETURNING 1""",
        (client_id, name, name),
    )
    return bool(revoked)


def set_rate(tx: Connection, client_id: str, rate: Rate | None) -> bool:
    """Say how fast a client may ask; None: as fast as any. False if there is none of that name."""
    per_second, burst = (rate.per_second, rate.burst) if rate is not None else (None, None)
    changed = execute(
        tx,
        "UPDATE clients SET requests_per_second = %s, burst = %s WHERE client_id = %s",
        (per_second, burst, client_id),
    )
    return changed == 1


def list_keys(tx: Connection, client_id: str | None = None) -> list[KeyInfo]:
    """Every key, of one client or of all, the oldest first."""
    rows = fetch(
        tx,
        """SELECT client_id, name, hint, scopes, k.created_at, expires_at, last_used_on,
                  revoked_at, requests_per_second, burst
             FROM client_keys k JOIN clients c USING (client_id)
            WHERE %s::text IS NULL OR client_id = %s ORDER BY client_id, k.created_at, name""",
        (client_id, client_id),
    )
    return [KeyInfo(**dict(zip(KeyInfo.__struct_fields__, row, strict=True))) for row in rows]
