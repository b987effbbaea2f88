"""Payments at a rate, whatever becomes of them, and restarts of one process after another."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, ROLES, Another, Installation, end_all
from chaos.shop import FILE_LINES, Shop
from soak.costs import cpu_by_service, cpu_seconds
from stack.settings import SERVICES
from tests.waiting import wait_until

SENDERS = 4
SINGLES_SECONDS, DEPOSITS_SECONDS, MOVES_SECONDS, SERVING_SECONDS = 1.0, 2.0, 4.0, 4.0
"""Between two payments by a request of their own, deposits, movements past payments, and looks at what was ordered."""
PROBE_SECONDS = 20
_UNDER_WAY = """SELECT count(*) FROM payments
                 WHERE check_at IS NOT NULL AND state NOT IN ('suspended', 'authorised')"""


def highest_rate(installation: Installation, shop: Shop) -> float:
    """Payments a second, from the first that is sent until all have ended or wait for people or for a capture, with as
    many under way as are let in."""
    began = time.monotonic()
    count = sum(_send_all_out(shop, began + PROBE_SECONDS))
    wait_until(
        lambda: installation.rows("payments", _UNDER_WAY) == [(0,)],
        seconds_max=REST_SECONDS_MAX,
        every_seconds=LOOK_SECONDS,
    )
    return count / (time.monotonic() - began)


def _send_all_out(shop: Shop, until: float) -> Iterator[int]:
    def send() -> int:
        count = 0
        while time.monotonic() < until:
            shop.pay_by_file()
            count += FILE_LINES
        return count

    with ThreadPoolExecutor(SENDERS) as pool:
        yield from [future.result() for future in [pool.submit(send) for _ in range(SENDERS)]]


class Load:
    """Files of payments at a steady rate. Who falls behind sends at once until the pace is kept again."""

    def __init__(self, shop: Shop, rate: float) -> None:
        self._shop = shop
        self._seconds_between = FILE_LINES * SENDERS / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.sent = 0

    @contextmanager
    def going(self) -> Iterator[None]:
        """Pay for as long as the block lasts; fails if anything was refused."""
        besides = (
            (self._shop.pay, SINGLES_SECONDS),
            (self._shop.deposit, DEPOSITS_SECONDS),
            (self._shop.move_money, MOVES_SECONDS),
            (self._shop.serve, SERVING_SECONDS),
        )
        with ThreadPoolExecutor(SENDERS + len(besides)) as pool:
            running = [pool.submit(self._send, number / SENDERS) for number in range(SENDERS)]
            running += [pool.submit(self._again, once, seconds) for once, seconds in besides]
            try:
                yield
            finally:
                self._stop.set()
        for thread in running:
            thread.result()

    def _send(self, phase: float) -> None:
        due = time.monotonic() + phase * self._seconds_between
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._shop.pay_by_file()
            due += self._seconds_between
            with self._lock:
                self.sent += FILE_LINES

    def _again(self, once: object, seconds: float) -> None:
        assert callable(once)
        while not self._stop.wait(seconds):
            once()


class Fleet:
    """Each role of each service as a process of its own, replaced in turn as a rolling restart does."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self._installation = installation
        self._chance = random.Random(seed)
        self._processes: dict[str, list[Another]] = {}
        self._turns: list[tuple[str, int]] = []
        self._cpu_of_ended: dict[str, float] = {}
        self.restarts = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        installation = self._installation
        installation.supervisor.stop(*SERVICES)
        try:
            for service in SERVICES:
                address = {"WEIR_HTTP_PORT": str(installation.settings.service_port(service))}
                self._processes[service] = [
                    installation.one_more(service, role, overrides=address if role == "api" else None) for role in ROLES
                ]
            for process in self.processes:
                process.wait_ready()
            yield
        finally:
            end_all(self.processes)

    @property
    def processes(self) -> list[Another]:
        return [process for processes in self._processes.values() for process in processes]

    def cpu_seconds(self) -> dict[str, float]:
        """What all processes of each service have used so far, those that were replaced as well."""
        return {name: used + self._cpu_of_ended.get(name, 0) for name, used in cpu_by_service(self.processes).items()}

    def restart_next(self) -> str:
        """Ask the next in turn to stop, see that it does, and start another; return who it was."""
        if not self._turns:
            places = [(service, number) for service in SERVICES for number in range(len(ROLES))]
            self._turns = self._chance.sample(places, len(places))
        service, number = self._turns.pop()
        others = self._processes[service]
        old = others[number]
        self._cpu_of_ended[service] = self._cpu_of_ended.get(service, 0) + cpu_seconds(old.process.pid)
        old.end()
        address = {"WEIR_HTTP_PORT": old.url.rpartition(":")[2]}
        others[number] = self._installation.one_more(service, *old.roles, overrides=address)
        others[number].wait_ready()
        self.restarts += 1
        return f"{service} {old.roles[0]}"
