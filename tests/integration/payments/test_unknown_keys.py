"""Keys that are made up: however many come, they reach the database seldom, and clients order as ever."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from libs.common.clients import Client
from libs.common.key_lookup import LOOKUPS_MAX, UNKNOWN
from tests.integration.payments.scene import order
from tests.serving import Api, problem

PATH = "/v1/payments"
STRANGERS, TRIES = 4, 150

Told = Counter[tuple[int, str]]


def test_a_flood_of_made_up_keys_reaches_the_database_seldom_and_clients_order_meanwhile(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked_up: list[str] = []
    find = api.runtime.clients.find

    def counted(key: str) -> Client | None:
        looked_up.append(key)
        return find(key)

    monkeypatch.setattr(api.runtime.clients, "find", counted)
    assert api.post(PATH, order()).status_code == 202
    began = time.monotonic()
    with flooded(api) as told:
        assert [api.post(PATH, order()).status_code for _ in range(20)] == [202] * 20
    found = sum((flood.result() for flood in told), Told())
    most = UNKNOWN.burst + UNKNOWN.per_second * (time.monotonic() - began) + LOOKUPS_MAX
    assert found.keys() == {(401, "unauthenticated"), (429, "rate_limited")}
    assert found.total() == STRANGERS * TRIES
    assert len([key for key in looked_up if key.startswith("wrong")]) == found[401, "unauthenticated"] <= most
    assert [record.client_id for record in caplog.records if "nobody knows" in record.message] == ["unknown"]  # type: ignore[attr-defined]


@contextmanager
def flooded(api: Api) -> Iterator[list[Future[Told]]]:
    """Strangers try keys, each another one every time, while the block lasts and until they have tried so many."""
    with ThreadPoolExecutor(STRANGERS) as strangers:
        yield [strangers.submit(_try_keys, api.address, stranger) for stranger in range(STRANGERS)]


def _try_keys(address: str, stranger: int) -> Told:
    told = Told()
    with httpx.Client(base_url=address, timeout=30) as http:
        for number in range(TRIES):
            answer = http.get(PATH, headers={"Authorization": f"Bearer wrong-{stranger}-{number}"})
            told[problem(answer)[:2]] += 1
            if answer.status_code == 429:
                assert 1 <= int(answer.headers["retry-after"]) <= 2
    return told
