"""The whole suite under load: full journeys, from an order over HTTP to its settlement.

The load comes from this process, on the same cores; its share of them is among the figures.
"""

import asyncio
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import httpx
import psycopg
from confluent_kafka import Consumer, TopicPartition

from bench.figures import Figures, percentile
from demo import people
from demo.client import WeirClient, register_client
from demo.story import Party
from libs.common import envelope, ids
from libs.common.kafka import client_config
from libs.common.record import Record
from libs.common.settings import MessagingSettings
from operate.nothing_lost import ENDS
from schemas.payments.events import PaymentSettled
from stack import postgres
from stack.stack import Stack

TOPIC = PaymentSettled.contract.topic.name
PAYERS = 1_000
PAYEES = 100
FILE_LINES = 250
SMALL_FILE_LINES = 10
IN_FLIGHT_MAX = 1_000
JOURNEYS = 10_000
SINGLE_POSTS = 4_000
CONNECTIONS = 48
RATE_PER_SECOND = 100
RATE_SECONDS = 20
WARM_UP = 1_000
WARM_UP_ROUNDS = 2
"""What is measured is a broker that has run for a while: at 100 payments/s it spends 12 s of CPU on its first round,
most of it on compiling, 6 on its second, and between 4 and 5 on each from then on."""
STALLED_SECONDS_MAX = 25.0
DAYS = 28
BETWEEN_ORDERS = timedelta(seconds=30)
"""In the time of the events: each of the payers then pays every eight hours or so."""
CURRENCY = "EUR"


class _Post(Record):
    path: str
    content_type: str


_SINGLE = _Post(path="/v1/payments", content_type="application/json")
_FILE = _Post(path="/v1/payment-batches", content_type="application/x-ndjson")


class Suite:
    """Everything, running, with accounts that have money; asked to do journeys, and watched doing them."""

    def __init__(self, stack: Stack) -> None:
        stack.up()
        self._settings = stack.settings
        self._key = register_client(self._settings)
        self._client = WeirClient(self._settings, self._key, run=ids.new())
        self._chance = random.Random(1)
        self._time = datetime.now(UTC) - timedelta(days=DAYS)
        parties = _parties(self._chance)
        self._parties = parties
        self._opened = self._client.register(parties, CURRENCY, lambda _: None)
        self._wait_until_opened()
        self._client.fund(parties, self._opened, CURRENCY)
        self._payments_url = f"http://{self._settings.host}:{self._settings.service_port('payments')}"
        self.by_files(WARM_UP)
        for _ in range(WARM_UP_ROUNDS):
            self.at_100_per_second()

    def by_files(self, count: int = JOURNEYS) -> Figures:
        """Files of 250 orders, with at most 1,000 payments under way: how many journeys a second, and how long one."""
        bodies = [b"\n".join(self._line() for _ in range(FILE_LINES)) for _ in range(count // FILE_LINES)]
        batch_ids: list[str] = []
        with self._watching() as ends, _measured() as measured:
            for sent, body in enumerate(bodies):
                ends.wait_for(lambda n=sent: n * FILE_LINES - len(ends.at) <= IN_FLIGHT_MAX - FILE_LINES)  # type: ignore[misc]
                batch_ids.append(self._send_file(body))
            ends.wait_for(lambda: len(ends.at) >= count)
        waits = self._waits_of(batch_ids)
        return {
            "journeys_per_second": count / measured.seconds,
            "journey_p50_ms_at_max": percentile(waits, 50) * 1000,
            "journey_p99_ms_at_max": percentile(waits, 99) * 1000,
            "journeys_load_generator_cpu_share": measured.cpu_share,
        }

    def by_single_posts(self) -> Figures:
        """An order a request, over 48 connections at once."""
        bodies = [self._line() for _ in range(SINGLE_POSTS)]
        with self._watching() as ends, _measured() as measured:
            asyncio.run(self._post_all(_SINGLE, bodies, _at_once(len(bodies))))
            ends.wait_for(lambda: len(ends.at) >= SINGLE_POSTS)
        return {
            "journeys_per_second_single_posts": SINGLE_POSTS / measured.seconds,
            "single_posts_load_generator_cpu_share": measured.cpu_share,
        }

    def at_100_per_second(self) -> Figures:
        """A file of ten orders each 100 ms, whatever becomes of others: each order from when its file was due."""
        files = [
            b"\n".join(self._line() for _ in range(SMALL_FILE_LINES))
            for _ in range(RATE_PER_SECOND * RATE_SECONDS // SMALL_FILE_LINES)
        ]
        due = _at_intervals(len(files), SMALL_FILE_LINES / RATE_PER_SECOND)
        with self._watching() as ends, _measured() as measured:
            answers = asyncio.run(self._post_all(_FILE, files, due))
            ends.wait_for(lambda: len(ends.at) >= len(files) * SMALL_FILE_LINES)
        due_by_batch = {answer["batch_id"]: at for answer, at in zip(answers, due, strict=True)}
        query = "SELECT payment_id::text, batch_id::text FROM payments WHERE batch_id = ANY(%b::uuid[])"
        batches = dict(self._rows(query, (list(due_by_batch),)))
        waits = sorted(ends.at[id_] - due_by_batch[batch_id] for id_, batch_id in batches.items())
        return {
            "journey_p50_ms_at_100_per_second": percentile(waits, 50) * 1000,
            "journey_p99_ms_at_100_per_second": percentile(waits, 99) * 1000,
            "at_100_per_second_load_generator_cpu_share": measured.cpu_share,
        }

    def at_100_single_posts_per_second(self) -> Figures:
        """An order each 10 ms, whatever becomes of the others: from when it was due to its end's being read."""
        bodies = [self._line() for _ in range(RATE_PER_SECOND * RATE_SECONDS)]
        due = _at_intervals(len(bodies), 1 / RATE_PER_SECOND)
        with self._watching() as ends:
            answers = asyncio.run(self._post_all(_SINGLE, bodies, due))
            ends.wait_for(lambda: len(ends.at) >= len(bodies))
            waits = sorted(ends.at[answer["payment_id"]] - at for answer, at in zip(answers, due, strict=True))
        return {
            "journey_p50_ms_at_100_single_posts_per_second": percentile(waits, 50) * 1000,
            "journey_p99_ms_at_100_single_posts_per_second": percentile(waits, 99) * 1000,
        }

    # Ordering

    def _line(self) -> bytes:
        debtor, creditor = self._chance.randrange(PAYERS), PAYERS + self._chance.randrange(PAYEES)
        order = {
            "currency": CURRENCY,
            "amount": f"{self._chance.randint(4, 45)}.00",
            "debtor": self._party(debtor),
            "creditor": self._party(creditor),
            "channel": "card",
            "device_id": f"phone of {self._opened[debtor].account_id}",
            "ip_country": "DE",
            "instructed_at": self._next_time().isoformat(),
        }
        return json.dumps(order).encode()

    def _next_time(self) -> datetime:
        # As people pay: a payer with dozens of payments a minute would be suspicious, and held up for a review.
        self._time += BETWEEN_ORDERS
        # What is dated in the future waits for people, and would never end here.
        assert self._time < datetime.now(UTC), f"a suite is good for {DAYS} days of orders, {BETWEEN_ORDERS} apart"
        return self._time

    def _party(self, number: int) -> dict[str, Any]:
        party = self._parties[number]
        return {"account_id": self._opened[number].account_id, "name": party.name, "country": party.country}

    def _send_file(self, body: bytes) -> str:
        response = httpx.post(
            f"{self._payments_url}{_FILE.path}",
            content=body,
            headers={**self._headers(), "Content-Type": _FILE.content_type},
            timeout=60,
        )
        response.raise_for_status()
        answer = response.json()
        assert not answer["refusals"], answer["refusals"][:3]
        return str(answer["batch_id"])

    async def _post_all(self, kind: _Post, bodies: Sequence[bytes], due: Sequence[float]) -> list[dict[str, Any]]:
        """Order each when it is due, or as soon after as a connection is free. The answers, in order."""
        answers: list[dict[str, Any]] = [{}] * len(bodies)
        waiting = iter(enumerate(zip(bodies, due, strict=True)))

        async def work(http: aiohttp.ClientSession) -> None:
            for n, (body, at) in waiting:
                if (early := at - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                headers = {**self._headers(), "Content-Type": kind.content_type}
                async with http.post(kind.path, data=body, headers=headers) as response:
                    answers[n] = await response.json()
                    assert response.ok and not answers[n].get("refusals"), answers[n]

        async with aiohttp.ClientSession(self._payments_url) as http:
            await asyncio.gather(*(work(http) for _ in range(CONNECTIONS)))
        return answers

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Idempotency-Key": ids.new()}

    # Watching

    @contextmanager
    def _watching(self) -> Iterator["Ends"]:
        ends = Ends(self._settings.messaging())
        thread = threading.Thread(target=ends.run)
        thread.start()
        try:
            yield ends
        except TimeoutError as error:
            unfinished = "SELECT state, body FROM payments WHERE check_at IS NOT NULL ORDER BY initiated_at LIMIT 3"
            for row in self._rows(unfinished, ()):
                error.add_note(f"without an end: {row}")
            raise
        finally:
            ends.stop.set()
            thread.join()

    def _waits_of(self, batch_ids: list[str]) -> list[float]:
        """From a payment's being taken on to its end, as payments has them, in order of length."""
        query = """SELECT extract(epoch FROM (body::jsonb ->> 'ended_at')::timestamptz
                                           - (body::jsonb ->> 'initiated_at')::timestamptz)::float8
                     FROM payments WHERE batch_id = ANY(%b::uuid[]) ORDER BY 1"""
        return [seconds for (seconds,) in self._rows(query, (batch_ids,))]

    def _wait_until_opened(self) -> None:
        account_ids = [account.account_id for account in self._opened]
        query = "SELECT count(*) FROM known_accounts WHERE account_id = ANY(%b::uuid[])"
        _wait(lambda: self._rows(query, (account_ids,)) == [(len(account_ids),)], lambda: None)

    def _rows(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        dsn = postgres.dsn(self._settings.database_url("payments"))
        with psycopg.connect(dsn) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


class Ends:
    """Reads payments' topic as any other service would, and notes when each end arrives."""

    def __init__(self, settings: MessagingSettings) -> None:
        self.at: dict[str, float] = {}
        self.stop = threading.Event()
        self._consumer = Consumer(
            {**client_config(settings), "group.id": "weir-bench", "enable.auto.commit": False, "log_level": 0}
        )
        partitions = self._consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        places = [TopicPartition(TOPIC, number) for number in partitions]
        # Where the topic ends now, and not where it will end when the consumer comes to ask.
        for place in places:
            _, place.offset = self._consumer.get_watermark_offsets(place, timeout=10)
        self._consumer.assign(places)

    def run(self) -> None:
        while not self.stop.is_set():
            for record in self._consumer.consume(500, 0.005):
                headers: Any = dict(record.headers() or ())
                if headers[envelope.TYPE].decode().rpartition(".")[2] in ENDS:
                    self.at[headers[envelope.SUBJECT].decode()] = time.monotonic()
        self._consumer.close()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds. Raises TimeoutError when nothing has ended for long."""
        _wait(condition, lambda: len(self.at))


class _Measured:
    seconds = 0.0
    cpu_share = 0.0
    """Of all cores together."""


@contextmanager
def _measured() -> Iterator[_Measured]:
    measured = _Measured()
    began, cpu = time.monotonic(), time.process_time()
    yield measured
    measured.seconds = time.monotonic() - began
    measured.cpu_share = (time.process_time() - cpu) / measured.seconds / (os.cpu_count() or 1)


def _wait(condition: Callable[[], bool], progress: Callable[[], object]) -> None:
    seen, moved_at = progress(), time.monotonic()
    while not condition():
        if (now := progress()) != seen:
            seen, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > STALLED_SECONDS_MAX:
            raise TimeoutError("nothing moves any more")
        time.sleep(0.005)


def _at_once(count: int) -> list[float]:
    return [time.monotonic()] * count


def _at_intervals(count: int, seconds: float) -> list[float]:
    began = time.monotonic() + 0.5
    return [began + n * seconds for n in range(count)]


def _parties(chance: random.Random) -> list[Party]:
    payers = [
        Party(number=n, name=people.person(chance), is_company=False, country="DE", funds_minor=100_000_000)
        for n in range(PAYERS)
    ]
    payees = [
        Party(number=PAYERS + n, name=people.merchant(chance), is_company=True, country="DE") for n in range(PAYEES)
    ]
    return [*payers, *payees]
