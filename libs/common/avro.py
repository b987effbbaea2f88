"""Records to Avro: a writer for each schema, made once, that takes a record's fields as they are.

A library that knows nothing of our records writes them from dictionaries, made for it and thrown away: that took twice
as long. Reading, which must put up with any bytes and any version, is left to one (`codec.py`).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec.structs import astuple

Write = Callable[[Any], bytes]
"""The Avro of a value. Raises what the value provokes when it is not of the schema's type."""


def writer_of(schema: Any) -> Write:
    """How to write what a schema describes; a record is a `Record` whose fields are the schema's, in its order."""
    return _writer(schema, {})


def _writer(schema: Any, named: dict[str, Write]) -> Write:
    match schema:
        case str():
            return named.get(schema) or _PRIMITIVES[schema]
        case list():
            return _union(schema, named)
        case {"type": "record"}:
            named[schema["name"]] = _record([_writer(field["type"], named) for field in schema["fields"]])
            return named[schema["name"]]
        case {"type": "enum"}:
            symbols = {symbol: _long(number) for number, symbol in enumerate(schema["symbols"])}
            named[schema["name"]] = symbols.__getitem__
            return named[schema["name"]]
        case {"type": "array"}:
            return _array(_writer(schema["items"], named))
        case {"type": "map"}:
            return _map(_writer(schema["values"], named))
        case {"logicalType": "timestamp-micros"}:
            return _instant
    return _PRIMITIVES[schema["type"]]


def _record(writers: Sequence[Write]) -> Write:
    def write(value: Any) -> bytes:
        return b"".join([write(field) for write, field in zip(writers, astuple(value), strict=True)])

    return write


def _union(branches: Sequence[Any], named: dict[str, Write]) -> Write:
    numbered = [(_long(number), branch) for number, branch in enumerate(branches)]
    null = next((number for number, branch in numbered if branch == "null"), None)
    others = [(number, branch) for number, branch in numbered if branch != "null"]
    if len(others) == 1 and null is not None:
        return _optional(null, others[0][0], _writer(others[0][1], named))
    # Several records: told apart by what they are called.
    writers = {_name(branch): (number, _writer(branch, named)) for number, branch in others}

    def write(value: Any) -> bytes:
        if value is None and null is not None:
            return null
        number, write = writers[type(value).__name__]
        return number + write(value)

    return write


def _name(record: Any) -> str:
    return str(record if isinstance(record, str) else record["name"])


def _optional(null: bytes, present: bytes, write: Write) -> Write:
    return lambda value: null if value is None else present + write(value)


def _array(write: Write) -> Write:
    return lambda values: b"".join((_long(len(values)), *map(write, values), _END)) if values else _END


def _map(write: Write) -> Write:
    def write_all(values: Mapping[str, Any]) -> bytes:
        pairs = [_string(key) + write(value) for key, value in values.items()]
        return b"".join((_long(len(pairs)), *pairs, _END)) if pairs else _END

    return write_all


def _string(value: str) -> bytes:
    encoded = value.encode()
    return _long(len(encoded)) + encoded


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def _instant(value: datetime) -> bytes:
    # Of two times in an hour that a clock has twice, the fold alone tells which is meant.
    return _instant_of(value, value.fold)


@lru_cache(maxsize=1_024)
def _instant_of(value: datetime, _: int) -> bytes:
    # An event has its time several times, and a batch's events have the same.
    return _zigzag((value - _EPOCH) // _MICROSECOND)


def _long(value: int) -> bytes:
    return _SMALL[value] if 0 <= value < _SMALL_COUNT else _zigzag(value)


def _zigzag(value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} does not fit 64 bits")
    rest, written = (value << 1) ^ (value >> 63), bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


_SMALL_COUNT = 1_024
_SMALL = tuple(map(_zigzag, range(_SMALL_COUNT)))
"""Lengths, numbers of symbols, small amounts: most numbers there are."""
_END = _long(0)
"""Of an array's or a map's blocks."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_PRIMITIVES: Mapping[str, Write] = {
    "string": _string,
    "long": _long,
    "boolean": _boolean,
    "double": struct.Struct("<d").pack,
    "bytes": _bytes,
}
