"""The schema registry, real."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from libs.common import ids
from libs.common.events import Contract
from libs.common.record import replace
from libs.common.registry import COMPATIBILITY, IncompatibleSchema, Registry, client_config
from tests import in_the_clear
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
        level = in_the_clear.get(f"{parts.messaging.registry_url}/config").json()["compatibilityLevel"]
        assert level == COMPATIBILITY


def priced(name: str, *, scale: int) -> Contract:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}
    schema = {"type": "record", "name": name, "doc": "What it costs.", "fields": [{"name": "price", "type": price}]}
    return replace(CounterIncremented.contract, full_name=name, schema=schema)


def test_a_scale_that_another_program_has_changed_in_the_registry_is_refused_all_the_same(parts: Parts) -> None:
    """To Avro and the registry a scale is nothing: whoever registers past us is not stopped there."""
    name = "Priced" + ids.new().replace("-", "")
    registry = Registry(parts.messaging)
    registry.register(priced(name, scale=2))
    changed = priced(name, scale=4)
    others = SchemaRegistryClient(client_config(parts.messaging))
    others.register_schema(changed.registry_subject, Schema(json.dumps(changed.schema), "AVRO"))
    with pytest.raises(IncompatibleSchema, match="scale may not change from 2 to 4"):
        registry.register(changed)
