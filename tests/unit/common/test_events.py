"""A class and its contract: equal, or the process does not start."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from libs.common.events import Contract, ContractError, Event
from schemas.payments.events import PAYMENT
from tests.unit.common.any_event import CONTRACTS

SOURCE = """
from datetime import datetime
from enum import StrEnum
from libs.common.events import UNION_TAG, Event, Topic, event
from libs.common.record import Record

TOPIC = Topic(name="shop.order.v1", key="the customer", meaning="Orders.")

class Colour(StrEnum):
    UNKNOWN = "unknown"
    RED = "red"

class Line(Record):
    sku: str
    price_minor: int

class Gift(Record, tag_field=UNION_TAG, tag="shop.Gift"):
    card: str

class Cash(Record, tag_field=UNION_TAG, tag="shop.Cash"):
    amount_minor: int

@event(topic=TOPIC, key="customer_id", subject="order_id")
class OrderPlaced(Event):
    order_id: str
    customer_id: str
    lines: tuple[Line, ...] = ()
    colour: Colour
    note: str | None = None
    paid_with: Gift | Cash
    weights: dict[str, float]
    placed_at: datetime
"""

LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "sku", "type": "string"}, {"name": "price_minor", "type": "long"}],
}
FIELDS: dict[str, dict[str, Any]] = {
    "order_id": {"type": "string"},
    "customer_id": {"type": "string"},
    "lines": {"type": {"type": "array", "items": LINE}, "default": []},
    "colour": {"type": {"type": "enum", "name": "Colour", "symbols": ["unknown", "red"], "default": "unknown"}},
    "note": {"type": ["null", "string"], "default": None},
    "paid_with": {
        "type": [
            {"type": "record", "name": "Gift", "fields": [{"name": "card", "type": "string"}]},
            {"type": "record", "name": "Cash", "fields": [{"name": "amount_minor", "type": "long"}]},
        ]
    },
    "weights": {"type": {"type": "map", "values": "double"}},
    "placed_at": {"type": {"type": "long", "logicalType": "timestamp-micros"}},
}


def schema(name: str = "OrderPlaced", **changes: dict[str, Any] | None) -> dict[str, Any]:
    """The contract, with some fields changed, added, or (None) left out."""
    fields = [{"name": field, **said} for field, said in {**FIELDS, **changes}.items() if said is not None]
    return {"type": "record", "name": name, "namespace": "shop", "doc": "An order was placed.", "fields": fields}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    sys.modules.pop("shop_events", None)


def load(folder: Path, contract: dict[str, Any], source: str = SOURCE) -> ModuleType:
    """Import the class beside this contract, as a service would."""
    (folder / "events.py").write_text(source)
    (folder / "OrderPlaced.avsc").write_text(json.dumps(contract))
    spec = importlib.util.spec_from_file_location("shop_events", folder / "events.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["shop_events"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_class_that_mirrors_its_contract_is_bound_to_it(shop: Path) -> None:
    contract = load(shop, schema()).OrderPlaced.contract
    assert isinstance(contract, Contract)
    assert (contract.full_name, contract.meaning) == ("shop.OrderPlaced", "An order was placed.")
    assert contract.registry_subject == "shop.order.v1-shop.OrderPlaced"
    assert contract.topic.service == "shop"


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("OrderPlaced/fields", {"note": None}),
        ("OrderPlaced/fields", {"extra": {"type": "string"}}),
        ("OrderPlaced/fields/order_id/1", {"order_id": {"type": "long"}}),
        ("OrderPlaced/fields/order_id", {"order_id": {"type": "string", "default": ""}}),
        ("OrderPlaced/fields/note", {"note": {"type": ["null", "string"]}}),
        ("OrderPlaced/fields/note/string/0", {"note": {"type": ["string", "null"], "default": None}}),
        ("OrderPlaced/fields/note/1", {"note": {"type": "string", "default": None}}),
        ("OrderPlaced/fields/lines/1", {"lines": {**FIELDS["lines"], "default": [1]}}),
        (
            "OrderPlaced/fields/lines/1/array/fields",
            {"lines": {**FIELDS["lines"], "type": {"type": "array", "items": {**LINE, "fields": LINE["fields"][:1]}}}},
        ),
        (
            "OrderPlaced/fields/colour/1/symbols",
            {"colour": {"type": {"type": "enum", "name": "Colour", "symbols": ["unknown"], "default": "unknown"}}},
        ),
        ("OrderPlaced/fields/placed_at/1", {"placed_at": {"type": "long"}}),
        ("OrderPlaced/fields/weights/1/map", {"weights": {"type": {"type": "map", "values": "long"}}}),
    ],
)
def test_a_difference_is_refused_at_import_and_named(shop: Path, place: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="the contract says") as refused:
        load(shop, schema(**changes))
    assert f" at {place}:" in str(refused.value)


def test_a_contract_of_another_name_is_refused(shop: Path) -> None:
    with pytest.raises(ContractError, match="describes OrderLost, not OrderPlaced"):
        load(shop, schema("OrderLost"))


@pytest.mark.parametrize(
    "kind", [{"type": "long", "logicalType": "timestamp-millis"}, {"type": "fixed", "name": "F", "size": 4}]
)
def test_types_that_events_dont_use_are_refused(shop: Path, kind: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="is a type that events don't use"):
        load(shop, schema(placed_at={"type": kind}))


def test_a_python_type_without_a_counterpart_is_refused(shop: Path) -> None:
    with pytest.raises(ContractError, match="has no counterpart in Avro"):
        load(shop, schema(), SOURCE.replace("order_id: str", "order_id: complex"))


def test_a_class_without_a_contract_is_refused(shop: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(shop, schema(), SOURCE.replace("class OrderPlaced", "class OrderMade"))


# The contracts there are


@pytest.mark.parametrize("event_type", CONTRACTS, ids=lambda kind: kind.contract.full_name)
def test_keys_and_subjects_are_ids_in_the_event(event_type: type[Event]) -> None:
    contract = event_type.contract
    for path in (contract.key_path, contract.subject_path):
        fields = contract.schema["fields"]
        *parents, last = path.split(".")
        for parent in parents:
            fields = next(field for field in fields if field["name"] == parent)["type"]["fields"]
        assert next(field for field in fields if field["name"] == last)["type"] == "string"


@pytest.mark.parametrize("event_type", CONTRACTS, ids=lambda kind: kind.contract.full_name)
def test_amounts_are_whole_numbers_of_minor_units(event_type: type[Event]) -> None:
    def amounts(part: Any) -> Iterator[Any]:
        if isinstance(part, dict):
            if str(part.get("name")).endswith("_minor"):
                yield part["type"]
            part = list(part.values())
        for inner in part if isinstance(part, list) else ():
            yield from amounts(inner)

    assert set(map(str, amounts(event_type.contract.schema))) <= {"long", "['null', 'long']"}


def test_a_payers_events_of_one_payment_share_a_key() -> None:
    """So they sit in one partition, in order."""
    of_payments = [kind.contract for kind in CONTRACTS if kind.contract.topic is PAYMENT]
    assert len(of_payments) >= 8
    assert {contract.key_path.split(".")[-1] for contract in of_payments} == {"debtor_account_id"}
    assert {contract.subject_path for contract in of_payments} == {"payment_id"}
