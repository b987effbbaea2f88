"""Transfers by request: through the bulk endpoint, one by one, and on one hot account or on many.

The API has processes of its own, as in production; the load runs on the same cores.
"""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiohttp

from bench import ledger
from bench.figures import Figures, percentile
from libs.common import clients, ids
from libs.common.api_keys import new_key
from libs.common.money import format_amount
from libs.common.scopes import Scope
from libs.common.service import Runtime
from services.accounts.__main__ import SERVICE
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.transfers import Booking
from stack import services
from tests.parts import Parts
from tests.waiting import wait_until

PAYERS = 1_000
PAYEES = 1_000
TRANSFERS = 20_000
IN_A_REQUEST = 1_000
SINGLE_TRANSFERS = 3_000
CONCURRENCIES = (1, 8, 32)
PROCESSES = 2
"""Of the API, where several are to get in each other's way."""
CURRENCY = "EUR"


def bookings(count: int, *, payers: Sequence[str], payees: Sequence[str], seed: int) -> list[Booking]:
    """Transfers of amounts below 100.00 between accounts picked by chance."""
    chance = random.Random(seed)
    return [
        Booking(
            transfer_id=ids.new(),
            debit_account_id=chance.choice(payers),
            credit_account_id=chance.choice(payees),
            amount_minor=chance.randint(1, 99_99),
            currency=CURRENCY,
        )
        for _ in range(count)
    ]


def by_the_thousand(parts: Parts) -> Figures:
    """20,000 transfers, 1,000 in a request, one request after the other: linked, and each on its own."""
    figures: dict[str, float] = {}
    with _bank(parts) as bank:
        for name, is_linked in (("linked", True), ("each_on_its_own", False)):
            requests = bank.requests(bank.payees, is_linked=is_linked)
            figures[f"transfers_per_second_{name}"] = TRANSFERS / asyncio.run(_post_all(bank.urls, requests, 1))
    return figures


def hot_account(parts: Parts) -> Figures:
    """The same sent to two processes at once: to 1,000 accounts, to one account of the house, to one of a customer."""
    figures: dict[str, float] = {}
    with _bank(parts, processes=PROCESSES) as bank:
        ways = {
            "1000_accounts": bank.payees,
            "1_account_of_the_house": [house_account_id(AccountKind.SETTLEMENT, CURRENCY)],
            "1_account_of_a_customer": bank.payees[:1],
        }
        for name, payees in ways.items():
            requests = bank.requests(payees, is_linked=False)
            seconds = asyncio.run(_post_all(bank.urls, requests, 2 * PROCESSES))
            figures[f"transfers_per_second_to_{name}"] = TRANSFERS / seconds
    return figures


def one_by_one(parts: Parts) -> Figures:
    """A transfer a request: so many a second, and how long each takes, with one client, with eight, and with 32."""
    figures: dict[str, float] = {}
    with _bank(parts) as bank:
        for concurrency in CONCURRENCIES:
            chosen = bookings(SINGLE_TRANSFERS, payers=bank.payers, payees=bank.payees, seed=concurrency)
            requests = [("/v1/transfers", json.dumps(_body(booking)).encode()) for booking in chosen]
            waits: list[float] = []
            seconds = asyncio.run(_post_all(bank.urls, requests, concurrency, waits))
            figures |= {
                f"single_transfers_per_second_at_{concurrency}": SINGLE_TRANSFERS / seconds,
                f"single_transfer_p50_ms_at_{concurrency}": percentile(sorted(waits), 50) * 1000,
                f"single_transfer_p99_ms_at_{concurrency}": percentile(sorted(waits), 99) * 1000,
            }
    return figures


class _Bank:
    """Accounts with money, and the API in front of them."""

    def __init__(self, runtime: Runtime, urls: Sequence[str], key: str) -> None:
        self.urls = [(url, {"Authorization": f"Bearer {key}"}) for url in urls]
        self.payers, others = ledger.funded_accounts(runtime, PAYERS)
        self.payees = others + ledger.open_accounts(runtime, PAYEES - len(others))

    def requests(self, payees: Sequence[str], *, is_linked: bool) -> list[tuple[str, bytes]]:
        chosen = [_body(b) for b in bookings(TRANSFERS, payers=self.payers, payees=payees, seed=1)]
        parts = [chosen[start : start + IN_A_REQUEST] for start in range(0, TRANSFERS, IN_A_REQUEST)]
        bodies = [json.dumps({"is_linked": is_linked, "transfers": part}).encode() for part in parts]
        return [("/v1/transfer-batches", body) for body in bodies]


def _body(booking: Booking) -> dict[str, str]:
    return {
        "debit_account_id": booking.debit_account_id,
        "credit_account_id": booking.credit_account_id,
        "currency": booking.currency,
        "amount": format_amount(booking.amount_minor, booking.currency),
    }


@contextmanager
def _bank(parts: Parts, *, processes: int = 1) -> Iterator[_Bank]:
    with parts.runtime(SERVICE) as runtime:
        key = new_key()
        runtime.unit.administer(lambda tx: clients.register(tx, "bench", key, list(Scope)))
        ports = [_free_port() for _ in range(processes)]
        running = [_start_api(runtime, port) for port in ports]
        try:
            urls = [f"http://127.0.0.1:{port}" for port in ports]
            wait_until(
                lambda: all(services.is_ready(f"{url}/ready") for url in urls), seconds_max=60, every_seconds=0.2
            )
            yield _Bank(runtime, urls, key)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(30)


def _start_api(runtime: Runtime, port: int) -> subprocess.Popen[bytes]:
    settings = runtime.settings
    environment = {
        **services.as_environment(settings),
        "WEIR_HTTP_PORT": str(port),
    }
    command = [sys.executable, "-m", "services.accounts", "api"]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def _post_all(
    targets: Sequence[tuple[str, dict[str, str]]],
    requests: Sequence[tuple[str, bytes]],
    concurrency: int,
    waits: list[float] | None = None,
) -> float:
    """Post everything, so many requests at once, to each target in turn; the seconds it took.

    Raises AssertionError if anything is refused.
    """
    left = list(enumerate(requests))[::-1]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def work() -> None:
            while left:
                number, (path, body) = left.pop()
                url, headers = targets[number % len(targets)]
                more = {"Idempotency-Key": ids.new(), "Content-Type": "application/json"}
                began = time.perf_counter()
                async with session.post(f"{url}{path}", data=body, headers=headers | more) as response:
                    answer = await response.read()
                    if waits is not None:
                        waits.append(time.perf_counter() - began)
                    assert response.status in (200, 201) and b'"refused"' not in answer, answer[:500]

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return time.perf_counter() - began
