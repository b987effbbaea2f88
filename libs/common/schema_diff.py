"""How the schema that a record was written with differs from the one it is read with: what, not whether it may.

Whether one may follow the other is said by `compatibility`. Docs are left out: they change nothing that is read.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_ATTRIBUTES = ("name", "logicalType", "precision", "scale", "size")
"""Of a type; each part of what a value means."""
_NOTHING = object()

Schema = Any
"""As JSON has it: a name, a list of branches, or a description."""


def differences(*, written: Mapping[str, Any], read: Mapping[str, Any]) -> list[str]:
    """Each difference with its place; empty when the two say the same."""
    return list(dict.fromkeys(_Comparison(written, read).of_types("", written, read)))


class _Comparison:
    """Of two schemas, each with the types that it gives names to."""

    def __init__(self, written: Schema, read: Schema) -> None:
        self._written = dict(_named(written))
        self._read = dict(_named(read))
        self._under_way: set[tuple[str, str]] = set()

    def of_types(self, place: str, written: Schema, read: Schema) -> Iterator[str]:
        was, now = _resolved(written, self._written), _resolved(read, self._read)
        if isinstance(was, list) or isinstance(now, list):
            yield from self._of_unions(place, _branches(was), _branches(now))
        elif was["type"] != now["type"]:
            yield f"{place or '/'}: written as {was['type']}, read as {now['type']}"
        else:
            yield from _changes(place or "/", was, now, _ATTRIBUTES)
            yield from self._within(place, was, now)

    def _within(self, place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
        match was["type"]:
            case "record":
                names = str(was.get("name")), str(now.get("name"))
                if names not in self._under_way:  # A record may hold records of its own kind.
                    self._under_way.add(names)
                    yield from self._of_fields(place, was, now)
                    self._under_way.remove(names)
            case "enum":
                yield from _of_symbols(place or "/", was, now)
            case "array":
                yield from self.of_types(f"{place}[]", was["items"], now["items"])
            case "map":
                yield from self.of_types(f"{place}[]", was["values"], now["values"])

    def _of_unions(self, place: str, written: list[Schema], read: list[Schema]) -> Iterator[str]:
        was = {_label(branch, self._written): branch for branch in written}
        now = {_label(branch, self._read): branch for branch in read}
        yield from (f"{place}: may be {label} as written, not as read" for label in was if label not in now)
        yield from (f"{place}: may be {label} as read, not as written" for label in now if label not in was)
        for label in was:
            if label in now:
                # What may be missing, and is else of one kind, needs no name for that kind.
                inner = place if len(was.keys() - {"null"}) == 1 else f"{place}|{label}"
                yield from self.of_types(inner, was[label], now[label])

    def _of_fields(self, place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
        unmatched = {field["name"]: field for field in was["fields"]}
        for field in now["fields"]:
            known_as = [name for name in (field["name"], *field.get("aliases", ())) if name in unmatched]
            here = f"{place}/{field['name']}"
            if not known_as:
                yield f"{here}: lacking as written; read as {_in_words(field.get('default', _NOTHING))}"
                continue
            before = unmatched.pop(known_as[0])
            yield from _changes(here, before, field, ("name", "default", "personal"))
            yield from self.of_types(here, before["type"], field["type"])
        yield from (f"{place}/{name}: added as written; not read" for name in unmatched)


def _of_symbols(place: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for symbol in was["symbols"]:
        if symbol not in now["symbols"]:
            yield f"{place}: symbol {symbol} as written; read as {_in_words(now.get('default', _NOTHING))}"
    yield from (
        f"{place}: symbol {symbol} lacking as written" for symbol in now["symbols"] if symbol not in was["symbols"]
    )
    yield from _changes(place, was, now, ("default",))


def _changes(place: str, was: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        before, after = was.get(name, _NOTHING), now.get(name, _NOTHING)
        if before != after:
            yield f"{place}: {name} {_in_words(before)} as written, {_in_words(after)} as read"


def _in_words(value: object) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)


def _named(schema: Schema) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every type that has a name, by it."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _named(branch)
    elif isinstance(schema, Mapping):
        if "name" in schema and "type" in schema and schema["type"] in ("record", "enum", "fixed"):
            yield schema["name"], schema
        for inner in (schema.get("type"), schema.get("items"), schema.get("values"), schema.get("fields")):
            yield from _named(inner)


def _resolved(schema: Schema, named: Mapping[str, Mapping[str, Any]]) -> Any:
    """A list of branches, or a description whose `type` is a word."""
    if isinstance(schema, list):
        return schema
    kind = schema if isinstance(schema, str) else schema["type"]
    if not isinstance(kind, str):
        return _resolved(kind, named)
    known = {"type": kind} if isinstance(schema, str) else schema
    return named.get(kind.rpartition(".")[2], known)


def _branches(schema: Schema) -> list[Schema]:
    return schema if isinstance(schema, list) else [schema]


def _label(branch: Schema, named: Mapping[str, Mapping[str, Any]]) -> str:
    found = _resolved(branch, named)
    return str(found.get("name", found["type"]))
