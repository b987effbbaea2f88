"""What a schema may become: each rule of growth has its row, and so has what it lets through."""

from typing import Any

import pytest

from libs.common.compatibility import breaches, undocumented
from libs.common.events import Event
from tests.unit.common.any_event import CONTRACTS

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
PARTY = {"type": "record", "name": "Party", "doc": "A side.", "fields": []}


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "x", "doc": "What happened.", "fields": list(fields)}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "doc": "What it means.", "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "doc": "Which.", "symbols": list(symbols), **more}


def decimal(scale: int, precision: int = 9) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def optional(name: str, kind: Any) -> dict[str, Any]:
    return field(name, ["null", kind], default=None)


def party(*names: str) -> dict[str, Any]:
    return {**PARTY, "fields": [field(name, "string") for name in names]}


A = field("a", "string")

ALLOWED = {
    "nothing changes": (record(A), record(A)),
    "a field that may be missing is added": (record(A), record(A, optional("b", "string"))),
    "a field with a default is added": (record(A), record(A, field("b", "long", default=0))),
    "a default is given": (record(field("a", "long")), record(field("a", "long", default=0))),
    "fields change their places": (record(A, field("b", "long")), record(field("b", "long"), A)),
    "a field is renamed and keeps its old name": (
        record(field("a", "string", default="")),
        record(field("b", "string", default="", aliases=["a"])),
    ),
    "a symbol is added where readers have a default": (
        record(field("a", enum("unknown", "x", default="unknown"))),
        record(field("a", enum("unknown", "x", "y", default="unknown"))),
    ),
    "data turn out to be personal": (record(A), record(field("a", "string", personal=True))),
    "a type is described where it is now used first": (
        record(field("b", party("name"))),
        record(field("a", party("name"), default={"name": ""}), field("b", "Party")),
    ),
}

REFUSED = {
    "a name is not documented": (record(A), record({"name": "a", "type": "string"}), "/a has no doc"),
    "a type is not documented": (
        record(A),
        record(A, field("b", {**enum("unknown", default="unknown"), "doc": ""}, default="unknown")),
        "/b: has no doc",
    ),
    "a field is removed": (record(A, optional("b", "string")), record(A), "/b was removed"),
    "a field is renamed and forgets its old name": (
        record(field("a", "string", default="")),
        record(field("b", "string", default="")),
        "/a was removed",
    ),
    "a required field is added": (record(A), record(A, field("b", "string")), "breaks new readers of old events"),
    "a field becomes optional": (record(A), record(optional("a", "string")), "breaks old readers"),
    "a union gets a branch": (
        record(optional("a", "string")),
        record(field("a", ["null", "string", "long"], default=None)),
        "breaks old readers",
    ),
    "a union loses a branch": (
        record(field("a", ["null", "string", "long"], default=None)),
        record(optional("a", "string")),
        "/a:|long was removed",
    ),
    "a type grows": (record(field("a", "int")), record(field("a", "long")), "breaks old readers"),
    "what an array holds changes": (
        record(field("a", {"type": "array", "items": "long"}, default=[])),
        record(field("a", {"type": "array", "items": "string"}, default=[])),
        "breaks old readers",
    ),
    "a decimal's scale changes, a silent factor of 100": (
        record(field("a", decimal(2))),
        record(field("a", decimal(4))),
        "scale may not change from 2 to 4",
    ),
    "a decimal's scale changes under a new name": (
        record(field("a", decimal(2), default="")),
        record(field("b", decimal(4), default="", aliases=["a"])),
        "scale may not change from 2 to 4",
    ),
    "a decimal's precision changes": (
        record(field("a", decimal(2))),
        record(field("a", decimal(2, precision=12))),
        "precision may not change from 9 to 12",
    ),
    "a scale changes inside an optional field": (
        record(optional("a", decimal(2))),
        record(optional("a", decimal(4))),
        "scale may not change",
    ),
    "a scale changes inside a map": (
        record(field("a", {"type": "map", "values": decimal(2)})),
        record(field("a", {"type": "map", "values": decimal(4)})),
        "scale may not change",
    ),
    "a time becomes a number": (
        record(field("a", MICROS)),
        record(field("a", "long")),
        "logicalType may not change from timestamp-micros to None",
    ),
    "a number becomes a time": (
        record(field("a", "long")),
        record(field("a", MICROS)),
        "logicalType may not change from None to timestamp-micros",
    ),
    "an optional number becomes a time": (
        record(optional("a", "long")),
        record(optional("a", MICROS)),
        "logicalType may not change from None to timestamp-micros",
    ),
    "a time changes its unit": (
        record(field("a", MICROS)),
        record(field("a", {"type": "long", "logicalType": "timestamp-millis"})),
        "logicalType may not change",
    ),
    "a symbol is added where readers have no default": (
        record(field("a", enum("x"))),
        record(field("a", enum("x", "y"))),
        "y can't be added",
    ),
    "a symbol is removed": (
        record(field("a", enum("unknown", "x", default="unknown"))),
        record(field("a", enum("unknown", default="unknown"))),
        "x may not be removed",
    ),
    "what unknown symbols become changes": (
        record(field("a", enum("unknown", "x", default="unknown"))),
        record(field("a", enum("unknown", "x", default="x"))),
        "the default may not change from unknown to x",
    ),
    "what unknown symbols become is forgotten": (
        record(field("a", enum("unknown", "x", default="unknown"))),
        record(field("a", enum("unknown", "x"))),
        "the default may not change from unknown to nothing",
    ),
    "what a missing field means changes": (
        record(field("a", "boolean", default=False)),
        record(field("a", "boolean", default=True)),
        "the default may not change from False to True",
    ),
    "what a missing field means is forgotten": (
        record(field("a", "boolean", default=False)),
        record(field("a", "boolean")),
        "the default may not change from False to nothing",
    ),
    "personal data lose their tag": (
        record(field("a", "string", personal=True)),
        record(A),
        "personal data may not lose its tag",
    ),
    "personal data lose their tag where a type is used again": (
        record(field("a", {**PARTY, "fields": [field("name", "string", personal=True)]}), field("b", "Party")),
        record(field("a", {**PARTY, "fields": [field("name", "string")]}), field("b", "Party")),
        "/b:/name: personal data may not lose its tag",
    ),
    "the record is another": (record(A), record(A, name="S"), "breaks old readers"),
}


@pytest.mark.parametrize("change", ALLOWED)
def test_a_schema_may_follow_if(change: str) -> None:
    old, new = ALLOWED[change]
    assert breaches(old=old, new=new) == []


@pytest.mark.parametrize("change", REFUSED)
def test_a_schema_may_not_follow_if(change: str) -> None:
    old, new, why = REFUSED[change]
    assert why in "; ".join(breaches(old=old, new=new))


@pytest.mark.parametrize("event_type", CONTRACTS, ids=lambda kind: kind.contract.full_name)
def test_every_contract_is_documented_and_may_follow_itself(event_type: type[Event]) -> None:
    schema = event_type.contract.schema
    assert undocumented(schema) == []
    assert breaches(old=schema, new=schema) == []


@pytest.mark.parametrize("event_type", CONTRACTS, ids=lambda kind: kind.contract.full_name)
def test_every_enum_of_a_contract_can_grow(event_type: type[Event]) -> None:
    def enums(part: Any) -> list[dict[str, Any]]:
        if isinstance(part, dict):
            own = [part] if part.get("type") == "enum" else []
            return own + [found for value in part.values() for found in enums(value)]
        return [found for value in part for found in enums(value)] if isinstance(part, list) else []

    assert [found["name"] for found in enums(event_type.contract.schema) if "default" not in found] == []
