"""Who may call an API: clients with keys, of which only a hash is kept.

Keys are long and random, so a plain SHA-256 is enough: there is nothing to guess (passwords, which
people choose, are hashed with argon2 elsewhere).
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.record import Record

CACHE_SECONDS = 10.0
"""How long a revoked key may still work."""
CACHE_SIZE_MAX = 10_000


class Scope(StrEnum):
    """What a client may do."""

    READ = "read"
    WRITE = "write"
    STAFF = "staff"
    """Sees what a client must not: internal reasons, and every client's payments."""


class Client(Record):
    """A caller that has shown its key."""

    client_id: str
    scopes: frozenset[str]

    @property
    def is_staff(self) -> bool:
        return Scope.STAFF in self.scopes


class Clients:
    """Knows clients by their keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache: dict[bytes, tuple[float, Client | None]] = {}

    def cached(self, key: str) -> Client | None:
        """The client, if it was looked up a moment ago: without touching the database."""
        found = self._cache.get(_hash(key))
        return found[1] if found and found[0] > time.monotonic() else None

    def find(self, key: str) -> Client | None:
        """The client this key belongs to, or None. Raises Outage."""
        key_hash = _hash(key)
        with transaction(self._engine) as tx:
            rows = fetch(
                tx, "SELECT client_id, scopes FROM clients WHERE key_hash = %s AND revoked_at IS NULL", (key_hash,)
            )
        client = Client(client_id=rows[0][0], scopes=frozenset(rows[0][1])) if rows else None
        if len(self._cache) >= CACHE_SIZE_MAX:
            self._cache.clear()
        self._cache[key_hash] = (time.monotonic() + CACHE_SECONDS, client)
        return client


def new_key() -> str:
    """An API key: shown once, to whoever asked for it."""
    return f"weir_{secrets.token_urlsafe(32)}"


def register(tx: Connection, client_id: str, key: str, scopes: Sequence[Scope]) -> None:
    """Let a client in with this key, in place of any it had."""
    execute(
        tx,
        """INSERT INTO clients (client_id, key_hash, scopes) VALUES (%s, %s, %s)
           ON CONFLICT (client_id) DO UPDATE
             SET key_hash = excluded.key_hash, scopes = excluded.scopes, revoked_at = NULL""",
        (client_id, _hash(key), [scope.value for scope in scopes]),
    )


def revoke(tx: Connection, client_id: str) -> bool:
    """Let a client in no more; False if there is none of that name."""
    return execute(tx, "UPDATE clients SET revoked_at = now() WHERE client_id = %s", (client_id,)) == 1


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
