"""What a fault is done to, and by: the suite under load, chance, and a watch on how soon all is well again."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, RESTART_SECONDS_MAX, Installation, wait_seconds
from chaos.proxy import Proxy
from chaos.shop import SORTS, Shop
from demo.analysts import Analysts
from libs.common.record import Record
from tests.waiting import wait_for, wait_until


class Recovery(Record):
    """How long it took, from the end of what did harm."""

    until_ready: float
    """Until every service said that each of its roles can work, in seconds."""
    until_settling: float
    """Until a payment ordered since then had settled, in seconds."""


class Scene:
    """One fault's view of the suite. The same seed and name give the same harm."""

    def __init__(
        self, installation: Installation, shop: Shop, *, seed: int, fault: str, share_of_time: float = 1
    ) -> None:
        """`share_of_time` has every harm last for less, or for more, than it says of itself."""
        self.installation = installation
        self.shop = shop
        self._share_of_time = share_of_time
        self.chance = random.Random(f"{seed}/{fault}")
        self.recoveries: list[Recovery] = []
        self.done: list[str] = []
        """What was done, in words."""

    def say(self, what: str) -> None:
        """Keep what was done, for the account of it."""
        self.done.append(what)

    def last(self, seconds: float) -> None:
        """Let the harm last: what it has to outlast are the time-outs of clients."""
        wait_seconds(seconds * self._share_of_time)

    def recover(self) -> None:
        """To be called when the harm has ended: wait until all works again, and keep how long that took."""
        began = time.monotonic()
        wait_until(self.installation.is_ready, seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        until_ready = time.monotonic() - began
        wait_until(lambda: self._has_settled_since(began), seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        self.recoveries.append(Recovery(until_ready=until_ready, until_settling=time.monotonic() - began))

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Customers pay and move money, and analysts decide what is held up, for as long as the block lasts, and until
        each sort of thing has been done since it began."""
        analysts, before = Analysts(self.installation.settings), self.shop.done()

        def not_done() -> list[str]:
            done = self.shop.done() - before
            return [sort for sort in SORTS if not done[sort]] + ([] if analysts.decided else ["decided"])

        with analysts.at_work(), self.shop.trading():
            yield
            wait_for(not_done, [], seconds_max=REST_SECONDS_MAX)

    def require_well(self) -> None:
        """Wait until nothing is under way; then all that was acknowledged was done, once, and all records are sound."""
        self.installation.come_to_rest()
        self.shop.require_once()
        self.installation.require_sound_records()

    @contextmanager
    def detour(self, *, to_kafka: bool) -> Iterator[Proxy]:
        """A wire to the broker or to Postgres, which whoever is told of its port goes by."""
        settings = self.installation.settings
        port, to_port = (
            (settings.kafka_proxy_port, settings.kafka_detour_port)
            if to_kafka
            else (settings.postgres_port + 1, settings.postgres_port)
        )
        with Proxy(settings.host, port, to_port=to_port) as proxy:
            yield proxy

    def _has_settled_since(self, at: float) -> bool:
        # By what was ordered, and not by any time that payments tells: its clock may be the harm.
        query = "SELECT 1 FROM payments WHERE state = 'settled' AND payment_id = ANY(%s::uuid[]) LIMIT 1"
        ordered = self.shop.paid_since(at)
        try:
            return bool(self.installation.rows("payments", query, (ordered,)))
        except psycopg.OperationalError:
            return False


class Fault(Record):
    """A way to do harm."""

    name: str
    meaning: str
    """What is done, in a line."""
    inflict: Callable[[Scene], None]
    """Does it, while payments go on being ordered; calls `recover` each time the harm has ended."""
