"""The database is killed under a stream of transfers: every one that was acknowledged is there, once, and no other."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from itertools import pairwise
from random import Random
from typing import Any, cast

import httpx

from chaos.asking import ANSWER_SECONDS_MAX, PAUSE_SECONDS
from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from demo.client import WeirClient
from demo.story import Party
from libs.common import ids
from libs.common.codec import Codec
from libs.common.errors import Outage
from libs.common.events import Event
from libs.common.money import format_amount, parse_amount
from libs.common.registry import Registry
from operate import topics
from schemas.accounts.events import TRANSFER, TransfersPosted
from tests.waiting import wait_until

CURRENCY = "EUR"
HOLDERS, FUNDS_MINOR, CLIENTS = 4, 500_00, 6
TOO_MUCH_MINOR = HOLDERS * FUNDS_MINOR + 1
"""Of what all of them have together."""
BEFORE_AND_AFTER = 100
"""So many requests are acknowledged at least before the kill, and after it."""
IMPATIENT_SECONDS = 1.0
"""So long a client waits before it asks again: less than a database takes to come back."""


class Acknowledged:
    """A request and the answer to it."""

    def __init__(self, path: str, key: str, body: bytes, response: httpx.Response) -> None:
        self.path, self.key, self.body, self.response = path, key, body, response

    @property
    def transfers(self) -> list[dict[str, Any]]:
        """What it moved: all of it, or nothing."""
        if self.response.status_code == HTTPStatus.CONFLICT:
            return []
        answer = self.response.json()
        found: list[dict[str, Any]] = answer.get("transfers", [answer])
        return found


class Clients:
    """Customers who send each other money, alone and in chains, and ask again until they know what became of it."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        settings = installation.settings
        self._http = httpx.Client(
            base_url=installation.url("accounts"), headers=installation.authorization, timeout=IMPATIENT_SECONDS
        )
        parties = [
            Party(number=n, name=f"Sparsam Works {n}", is_company=True, country="DE", funds_minor=FUNDS_MINOR)
            for n in range(HOLDERS)
        ]
        client = WeirClient(settings, settings.secrets.get("api-key/demo"), run=ids.new())
        opened = client.register(parties, CURRENCY, lambda _: None)
        self.accounts = [account.account_id for account in opened]
        wait_until(lambda: self._open_accounts() == HOLDERS, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        client.fund(parties, opened, CURRENCY)
        client.close()
        self.acknowledged: list[Acknowledged] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All of them, for as long as the block lasts. Each knows in the end what became of its last request."""
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(self._work, Random(number), stop) for number in range(CLIENTS)]
            try:
                yield
            finally:
                stop.set()
        for client in running:
            client.result()

    def wait_for_more(self) -> None:
        """Return when so many more have been acknowledged."""
        wanted = len(self.acknowledged) + BEFORE_AND_AFTER
        wait_until(lambda: len(self.acknowledged) >= wanted, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)

    def post(self, path: str, key: str, body: bytes) -> httpx.Response:
        """Send until there is an answer."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        deadline, pause = time.monotonic() + ANSWER_SECONDS_MAX, threading.Event()
        while time.monotonic() < deadline:
            try:
                response = self._http.post(path, content=body, headers=headers)
            except httpx.TransportError:
                response = None
            if response is not None and "retry-after" not in response.headers:
                return response
            pause.wait(PAUSE_SECONDS)
        raise AssertionError("waited in vain for an answer")

    def close(self) -> None:
        self._http.close()

    def _work(self, chance: Random, stop: threading.Event) -> None:
        while not stop.is_set():
            path, body = self._chain(chance) if chance.random() < 0.5 else self._single(chance)
            key, content = ids.new(), json.dumps(body).encode()
            response = self.post(path, key, content)
            assert response.status_code in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.CONFLICT), response.text
            self.acknowledged.append(Acknowledged(path, key, content, response))

    def _single(self, chance: Random) -> tuple[str, dict[str, Any]]:
        one, other = chance.sample(self.accounts, 2)
        return "/v1/transfers", _transfer(one, other, chance.randint(1, 5_00))

    def _chain(self, chance: Random) -> tuple[str, dict[str, Any]]:
        """Round all the accounts, one way or the other; the last leg of some is more than there can be."""
        legs = [
            _transfer(one, other, chance.randint(1, 5_00))
            for one, other in pairwise(chance.sample(self.accounts, HOLDERS))
        ]
        if chance.random() < 0.3:
            legs[-1]["amount"] = format_amount(TOO_MUCH_MINOR, CURRENCY)
        return "/v1/transfer-batches", {"is_linked": True, "transfers": legs}

    def _open_accounts(self) -> int:
        query = f"SELECT count(*) FROM accounts WHERE account_id IN ({_listed(self.accounts)})"
        ((count,),) = self._installation.rows("accounts", query)
        return int(count)


def _began(installation: Installation) -> datetime:
    ((began,),) = installation.rows("accounts", "SELECT pg_postmaster_start_time()")
    return cast(datetime, began)


def test_every_transfer_acknowledged_while_the_database_is_killed_is_there_once(installation: Installation) -> None:
    clients, began = Clients(installation), _began(installation)
    with clients.at_work():
        clients.wait_for_more()
        installation.kill("postgres")
        clients.wait_for_more()
    assert _began(installation) > began, "it was another one that answered in the end"
    installation.come_to_rest()

    acknowledged = [transfer for request in clients.acknowledged for transfer in request.transfers]
    assert Counter(_recorded(installation, clients.accounts)) == Counter(t["transfer_id"] for t in acknowledged)
    assert _told(installation, clients.accounts) == Counter(t["transfer_id"] for t in acknowledged)
    _require_whole_chains(installation, clients)
    _require_balances(installation, clients, acknowledged)
    _require_same_answers(clients)
    assert len(_recorded(installation, clients.accounts)) == len(acknowledged)
    installation.require_sound_ledger()
    clients.close()


def _recorded(installation: Installation, accounts: list[str]) -> list[str]:
    """What the ledger has moved between these accounts."""
    query = (
        f"SELECT transfer_id::text FROM transfers WHERE kind = 'booking' AND debit_account_id IN ({_listed(accounts)})"
    )
    return [transfer_id for (transfer_id,) in installation.rows("accounts", query)]


def _told(installation: Installation, accounts: list[str]) -> Counter[str]:
    """What everyone was told of it, each event counted once, however often it was sent."""
    codec = Codec(Registry(installation.settings.messaging()), [TransfersPosted])
    recorded = topics.read(installation.settings.messaging(), [TRANSFER.name])
    found: Counter[str] = Counter()
    for value in {event.event_id: event.value for event in recorded}.values():
        event = _decoded(codec, value)
        assert isinstance(event, TransfersPosted)
        found.update(t.transfer_id for t in event.transfers if t.debit_account_id in accounts)
    return found


def _decoded(codec: Codec, value: bytes) -> Event:
    events: list[Event] = []

    def is_read() -> bool:
        try:
            reader = codec.reader_of(value)
        except Outage:
            # The registry's schemas are in the database that was killed: it finds one dead connection after another.
            return False
        assert reader is not None
        events.append(reader.decode(value))
        return True

    wait_until(is_read, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
    return events[0]


def _require_whole_chains(installation: Installation, clients: Clients) -> None:
    query = f"""SELECT array_agg(transfer_id::text ORDER BY link_number) FROM transfers
                 WHERE link_id IS NOT NULL AND debit_account_id IN ({_listed(clients.accounts)}) GROUP BY link_id"""
    chains = [request.transfers for request in clients.acknowledged if len(request.transfers) > 1]
    assert sorted(ids_ for (ids_,) in installation.rows("accounts", query)) == sorted(
        [transfer["transfer_id"] for transfer in chain] for chain in chains
    )
    assert {len(chain) for chain in chains} == {HOLDERS - 1}
    refusals = {request.response.json()["field"] for request in clients.acknowledged if not request.transfers}
    assert f"transfers.{HOLDERS - 2}.amount" in refusals


def _require_balances(installation: Installation, clients: Clients, acknowledged: list[dict[str, Any]]) -> None:
    expected = dict.fromkeys(clients.accounts, FUNDS_MINOR)
    for transfer in acknowledged:
        minor = parse_amount(transfer["amount"], CURRENCY)
        assert isinstance(minor, int)
        expected[transfer["debit_account_id"]] -= minor
        expected[transfer["credit_account_id"]] += minor
    query = f"""SELECT account_id::text, posted_minor, held_minor FROM accounts
                 WHERE account_id IN ({_listed(clients.accounts)})"""
    found = {account_id: (posted, held) for account_id, posted, held in installation.rows("accounts", query)}
    assert found == {account_id: (minor, 0) for account_id, minor in expected.items()}


def _require_same_answers(clients: Clients) -> None:
    """Who asks once more is told the same, and nothing more happens."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = pool.map(lambda request: clients.post(request.path, request.key, request.body), clients.acknowledged)
        for request, again in zip(clients.acknowledged, answers, strict=True):
            assert (again.status_code, again.content) == (request.response.status_code, request.response.content)


def _transfer(one: str, other: str, minor: int) -> dict[str, Any]:
    return {
        "debit_account_id": one,
        "credit_account_id": other,
        "currency": CURRENCY,
        "amount": format_amount(minor, CURRENCY),
    }


def _listed(accounts: list[str]) -> str:
    return ", ".join(f"'{account_id}'" for account_id in accounts)
