"""Events: typed mirrors of Avro contracts, refused at import when the two differ.

    PAYMENT = Topic(name="payments.payment.v1", key="debtor_account_id", meaning="…")

    @event(topic=PAYMENT, key="debtor_account_id", subject="payment_id")
    class PaymentSettled(Event): …            # and beside it, PaymentSettled.avsc

The `.avsc` is the contract; the class is how Python code sees it. A field added to one and not to
the other stops the process before it can write a single wrong byte.
"""

import inspect
import json
import types
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from libs.common.personal_data import Encrypted
from libs.common.record import Record

TIMESTAMP = {"type": "long", "logicalType": "timestamp-micros"}
UNION_TAG = "avro_record"
"""The field that tells which record a union holds. It exists in Python only: Avro has its own way."""

_PRIMITIVES: dict[Any, Any] = {
    str: "string",
    int: "long",
    bool: "boolean",
    float: "double",
    bytes: "bytes",
    datetime: TIMESTAMP,
    type(None): "null",
}


class ContractError(Exception):
    """A class and its Avro schema tell different things."""


class Topic(Record):
    """A stream of events about one noun, in order per key."""

    name: str
    key: str
    """What the records are keyed by, in words of the domain."""
    meaning: str
    is_restricted: bool = False
    """Whether only named readers may see it: what it tells must not reach a client."""

    @property
    def service(self) -> str:
        return self.name.split(".", 1)[0]


class Contract(Record):
    """What is known of an event type besides its fields."""

    topic: Topic
    full_name: str
    schema: dict[str, Any]
    key_path: str
    subject_path: str
    is_end: bool
    """Whether it is the last that happens to its subject, which ends once, in one of several ways."""
    key_of: Callable[[Any], str]
    subject_of: Callable[[Any], str]

    @property
    def registry_subject(self) -> str:
        """Where the registry keeps the versions of this schema (TopicRecordNameStrategy)."""
        return f"{self.topic.name}-{self.full_name}"

    @property
    def meaning(self) -> str:
        return str(self.schema["doc"])


class Event(Record):
    """Something that happened, as its publisher tells it."""

    contract: ClassVar[Contract]


E = TypeVar("E", bound=Event)


def event(*, topic: Topic, key: str, subject: str, is_end: bool = False) -> Callable[[type[E]], type[E]]:
    """Bind a class to the `.avsc` beside it.

    `key` and `subject` are the paths of the fields that hold the record's key and the id of the
    aggregate it is about; of `is_end` see Contract. Raises ContractError when class and schema differ.
    """

    def bind(cls: type[E]) -> type[E]:
        path = Path(inspect.getfile(cls)).parent / f"{cls.__name__}.avsc"
        schema = json.loads(path.read_text())
        _require_equal(cls, schema, path)
        cls.contract = Contract(
            topic=topic,
            full_name=f"{schema['namespace']}.{schema['name']}",
            schema=schema,
            key_path=key,
            subject_path=subject,
            is_end=is_end,
            key_of=attrgetter(key),
            subject_of=attrgetter(subject),
        )
        return cls

    return bind


def union_paths(record_type: type[Record]) -> list[tuple[str, ...]]:
    """The paths at which a record holds one of several records, told apart by their UNION_TAG."""
    found: list[tuple[str, ...]] = []
    for field in msgspec.structs.fields(record_type):
        branches = [branch for branch in _branches(field.type) if _is_record(branch)]
        if len(branches) > 1:
            found.append((field.name,))
        elif branches:
            found += [(field.name, *path) for path in union_paths(branches[0])]
    return found


def personal_place(record_type: type[Record]) -> tuple[tuple[str, ...], type[Record]]:
    """Where an event has its personal data, and the record they are when readable. Raises ContractError without any."""
    for path in union_paths(record_type):
        branches = _branches_at(record_type, path)
        readable = [branch for branch in branches if _is_record(branch) and not issubclass(branch, Encrypted)]
        if len(readable) == 1 and len(branches) == 2:
            return path, readable[0]
    raise ContractError(f"{record_type.__name__} has no personal data that may be encrypted")


def _branches_at(record_type: type[Record], path: tuple[str, ...]) -> tuple[Any, ...]:
    name, *rest = path
    (annotation,) = (field.type for field in msgspec.structs.fields(record_type) if field.name == name)
    return _branches_at(annotation, tuple(rest)) if rest else _branches(annotation)


def _require_equal(cls: type[Record], schema: dict[str, Any], path: Path) -> None:
    if schema.get("name") != cls.__name__:
        raise ContractError(f"{path} describes {schema.get('name')}, not {cls.__name__}")
    declared, mirrored = _shape(schema, {}), _record_type(cls)
    if declared != mirrored:
        place, contract, mirror = _first_difference(declared, mirrored, cls.__name__)
        raise ContractError(
            f"{cls.__module__}.{cls.__qualname__} differs from {path} at {place}:\n"
            f"  the contract says {json.dumps(contract)}\n  the class says    {json.dumps(mirror)}"
        )


def _first_difference(declared: Any, mirrored: Any, place: str) -> tuple[str, Any, Any]:
    if isinstance(declared, list) and isinstance(mirrored, list) and len(declared) == len(mirrored):
        names = [part[0] if isinstance(part, list) and part else number for number, part in enumerate(declared)]
        parts = list(zip(declared, mirrored, names, strict=True))
    elif isinstance(declared, dict) and isinstance(mirrored, dict) and declared.keys() == mirrored.keys():
        parts = [(declared[key], mirrored[key], key) for key in declared]
    else:
        return place, declared, mirrored
    ours, theirs, name = next(part for part in parts if part[0] != part[1])
    return _first_difference(ours, theirs, f"{place}/{name}")


def _shape(schema: Any, named: dict[str, Any]) -> Any:
    """A schema without its documentation, its named types written out wherever they are used."""
    match schema:
        case str():
            return named.get(schema, schema)
        case list():
            return [_shape(branch, named) for branch in schema]
        case {"type": "record"}:
            fields = [_field_shape(field, named) for field in schema["fields"]]
            named[schema["name"]] = {"record": schema["name"], "fields": fields}
            return named[schema["name"]]
        case {"type": "enum"}:
            named[schema["name"]] = {"enum": schema["name"], "symbols": schema["symbols"]}
            return named[schema["name"]]
        case {"type": "array"}:
            return {"array": _shape(schema["items"], named)}
        case {"type": "map"}:
            return {"map": _shape(schema["values"], named)}
        case {"type": "long", "logicalType": "timestamp-micros"}:
            return TIMESTAMP
    raise ContractError(f"{json.dumps(schema)} is a type that events don't use")


def _field_shape(field: dict[str, Any], named: dict[str, Any]) -> list[Any]:
    return [field["name"], _shape(field["type"], named), *([field["default"]] if "default" in field else [])]


def _record_type(cls: type[Record]) -> Any:
    return {"record": cls.__name__, "fields": [_field_type(field) for field in msgspec.structs.fields(cls)]}


def _field_type(field: FieldInfo) -> list[Any]:
    default = [] if field.default is msgspec.NODEFAULT else [json.loads(msgspec.json.encode(field.default))]
    return [field.encode_name, _avro_type(field.type), *default]


def _avro_type(annotation: Any) -> Any:
    if annotation in _PRIMITIVES:
        return _PRIMITIVES[annotation]
    branches = _branches(annotation)
    if len(branches) > 1:
        # Avro's convention for what may be missing: null comes first.
        return [_avro_type(branch) for branch in sorted(branches, key=lambda branch: branch is not type(None))]
    if typing.get_origin(annotation) is tuple:
        return {"array": _avro_type(typing.get_args(annotation)[0])}
    if typing.get_origin(annotation) is dict:
        return {"map": _avro_type(typing.get_args(annotation)[1])}
    if inspect.isclass(annotation) and issubclass(annotation, StrEnum):
        return {"enum": annotation.__name__, "symbols": [member.value for member in annotation]}
    if _is_record(annotation):
        return _record_type(annotation)
    raise ContractError(f"{annotation} has no counterpart in Avro")


def _branches(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def _is_record(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, Record)
