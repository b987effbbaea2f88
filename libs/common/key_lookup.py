"""Whose key a request has come with, found so that whoever makes keys up takes little from those who have one.

    looked up a moment ago ──────────────────► its client, or nobody
    a client's until a moment ago ───────────► database
    never seen ──► two at a time, while the bucket has room ──► database

Only keys that turn out to be nobody's take from the bucket: clients that come back after a restart, however many, empty
nothing. For one thread, that of the event loop.
"""

import time
from collections.abc import Callable

import anyio
import anyio.to_thread
from cachetools import TTLCache

from libs.common.api_keys import hash_key
from libs.common.clients import Client, Clients
from libs.common.rate_limit import Bucket, Rate

UNKNOWN = Rate(per_second=10.0, burst=100)
"""Keys of nobody that the database is asked about: far more than clients with a mistyped key would bring."""
UNKNOWN_SECONDS = 3.0
"""How long a key that was made after it had been tried may still be taken for nobody's."""
UNKNOWN_REMEMBERED_MAX = 10_000
LOOKUPS_MAX = 2
"""Connections to the database, of those that a process has, that keys never seen may take at once."""
WAIT_SECONDS_MAX = 2.0
"""For one of these, while the database is slow."""


class TooManyUnknownKeys(Exception):
    """So many keys of nobody's are tried that one that was never seen is not looked up: it may be anybody's."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("too many keys that nobody knows are being tried")
        self.wait_seconds = wait_seconds


class KeyLookup:
    """Finds clients by their keys, for the requests of a process."""

    def __init__(self, clients: Clients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._bucket = Bucket(UNKNOWN, clock())
        self._nobodys = TTLCache[bytes, None](UNKNOWN_REMEMBERED_MAX, UNKNOWN_SECONDS, timer=clock)
        self._lookups = anyio.CapacityLimiter(LOOKUPS_MAX)

    async def find(self, key: str) -> Client | None:
        """The client this key belongs to, or None. Raises Outage and TooManyUnknownKeys."""
        if client := self._clients.cached(key):
            return client
        if self._clients.has_known(key):
            return await anyio.to_thread.run_sync(self._clients.find, key)
        if (hashed := hash_key(key)) in self._nobodys:
            return None
        self._require_room(0)
        with anyio.move_on_after(WAIT_SECONDS_MAX) as waiting:
            await self._lookups.acquire()
        if waiting.cancelled_caught:
            raise TooManyUnknownKeys(WAIT_SECONDS_MAX)
        try:
            return await self._find_unseen(key, hashed)
        finally:
            self._lookups.release()

    async def _find_unseen(self, key: str, hashed: bytes) -> Client | None:
        # While it waited, another request may have come with the same key, and many with keys of nobody's.
        if (client := self._clients.cached(key)) or hashed in self._nobodys:
            return client
        self._require_room(1)
        is_nobodys = False
        try:
            client = await anyio.to_thread.run_sync(self._clients.find, key)
            is_nobodys = client is None
        finally:
            if is_nobodys:
                self._nobodys[hashed] = None
            else:
                self._bucket.give_back(1)
        return client

    def _require_room(self, cost: int) -> None:
        limit = self._bucket.take(cost, self._clock())
        if not limit.is_passed:
            raise TooManyUnknownKeys(limit.wait_seconds)
