"""The schema registry, real."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from libs.common.registry import COMPATIBILITY, Registry
from tests.parts import Parts
from tests.tally.events import CounterIncremented, CounterReported

SERVICES_AT_ONCE = 8
ROUNDS = 10


def test_services_that_prepare_themselves_at_once_on_a_new_registry_do_not_get_in_each_others_way(parts: Parts) -> None:
    for _ in range(ROUNDS):
        httpx.delete(
            f"{parts.messaging.registry_url.removesuffix('/ccompat/v7')}/registry/v3/admin/rules"
        ).raise_for_status()
        begin = Barrier(SERVICES_AT_ONCE)

        def register(number: int, begin: Barrier = begin) -> int:
            registry = Registry(parts.messaging)
            begin.wait(10)
            return registry.register((CounterIncremented, CounterReported)[number % 2].contract)

        with ThreadPoolExecutor(SERVICES_AT_ONCE) as pool:
            ids = set(pool.map(register, range(SERVICES_AT_ONCE)))
        assert len(ids) == 2
        level = httpx.get(f"{parts.messaging.registry_url}/config").json()["compatibilityLevel"]
        assert level == COMPATIBILITY
