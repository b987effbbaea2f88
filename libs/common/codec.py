"""Events to bytes and back: Confluent's wire format (a zero, four bytes of schema id, Avro).

Writing is ours (`avro.py`), reading fastavro's, with parsed schemas kept; what each schema id means is asked of the
registry once and remembered for the life of the process, for an id never changes its meaning.
"""

import io
import struct
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import fastavro
import msgspec
from fastavro.schema import SchemaParseException

from libs.common import avro
from libs.common.errors import Poison
from libs.common.events import UNION_TAG, Event, union_paths
from libs.common.record import Record
from libs.common.registry import Registry

MAGIC = 0
_PREFIX = struct.Struct(">bI")
_NATIVE = (datetime, bytes)
"""What both fastavro and msgspec take as it is."""


class Undecodable(Poison):
    """Bytes that are not an event we can read."""


class Reader(Record):
    """How to read one schema id."""

    event_type: type[Event]
    decode: Callable[[bytes], Event]


class Codec:
    """Writes the given event types, and reads them, whatever version they were written with."""

    def __init__(self, registry: Registry, event_types: Iterable[type[Event]]) -> None:
        self._registry = registry
        self._types = {event_type.contract.full_name: event_type for event_type in event_types}
        self._writers: dict[type[Event], Callable[[Event], bytes]] = {}
        self._readers: dict[int, Reader | None] = {}

    def prepare(self, event_types: Iterable[type[Event]]) -> None:
        """Get ready to write these. Raises UnregisteredSchema, or Outage while the registry can't be asked."""
        for event_type in event_types:
            if event_type not in self._writers:
                self._writers[event_type] = self._writer(event_type)

    def encode(self, event: Event) -> bytes:
        """The bytes of an event. Raises as `prepare` does, the first time a type is written."""
        write = self._writers.get(type(event))
        if write is None:
            write = self._writers[type(event)] = self._writer(type(event))
        return write(event)

    def reader_of(self, value: bytes | None) -> Reader | None:
        """How to read these bytes, or None when they are an event this service doesn't read.

        Raises Undecodable when they are no event at all, Outage when the registry can't be asked.
        """
        if value is None or len(value) < _PREFIX.size or value[0] != MAGIC:
            raise Undecodable("not Avro in Confluent's wire format: it must begin with a zero and a schema id")
        schema_id = _PREFIX.unpack_from(value)[1]
        try:
            return self._readers[schema_id]
        except KeyError:
            reader = self._readers[schema_id] = self._reader(schema_id)
            return reader

    def declared(self, value: bytes | None) -> dict[str, Any] | None:
        """The schema that bytes say they were written with; None if the registry knows none of that id.

        Raises Undecodable when they name none, Outage when the registry can't be asked.
        """
        if value is None or len(value) < _PREFIX.size or value[0] != MAGIC:
            raise Undecodable("not Avro in Confluent's wire format: it must begin with a zero and a schema id")
        return self._registry.schema(_PREFIX.unpack_from(value)[1])

    def _writer(self, event_type: type[Event]) -> Callable[[Event], bytes]:
        prefix = _PREFIX.pack(MAGIC, self._registry.id_of(event_type.contract))
        write = avro.writer_of(event_type.contract.schema)

        def encode(event: Event) -> bytes:
            return prefix + write(event)

        return encode

    def _reader(self, schema_id: int) -> Reader | None:
        declared = self._registry.schema(schema_id)
        if declared is None:
            raise Undecodable(f"the registry knows no Avro schema {schema_id}")
        event_type = self._types.get(f"{declared.get('namespace')}.{declared.get('name')}")
        if event_type is None:
            return None
        try:
            written = fastavro.parse_schema(declared)
        except (SchemaParseException, ValueError, KeyError, TypeError) as error:
            # A type that is defined elsewhere is a ValueError to fastavro, a missing part a KeyError.
            raise Undecodable(f"schema {schema_id} can't be parsed: {error}") from error
        return Reader(event_type=event_type, decode=_decoder(event_type, written))


def _decoder(event_type: type[Event], written: Any) -> Callable[[bytes], Event]:
    wanted = fastavro.parse_schema(event_type.contract.schema)
    resolves = None if written == wanted else wanted
    tag_unions = _on_unions(event_type, _from_avro_union)
    read, convert = fastavro.schemaless_reader, msgspec.convert

    def decode(value: bytes) -> Event:
        buffer = io.BytesIO(value)
        buffer.seek(_PREFIX.size)
        try:
            fields = read(buffer, written, resolves, return_record_name=True, return_record_name_override=True)
            if buffer.tell() != len(value):
                raise Undecodable(f"{len(value) - buffer.tell()} bytes follow the end of {event_type.__name__}")
            return convert(tag_unions(fields), event_type, builtin_types=_NATIVE)
        except Undecodable:
            raise
        except Exception as error:
            # fastavro raises whatever the bytes provoke: EOFError, IndexError, UnicodeDecodeError, …
            raise Undecodable(f"not a {event_type.__name__}: {type(error).__name__}: {error}") from error

    return decode


def _on_unions(event_type: type[Record], change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that applies `change` wherever this type holds one of several records."""
    paths = union_paths(event_type)

    def apply(fields: Any) -> Any:
        for *parents, last in paths:
            holder = fields
            for name in parents:
                holder = holder and holder[name]
            if holder and holder[last] is not None:
                holder[last] = change(holder[last])
        return fields

    return apply if paths else lambda fields: fields


def _from_avro_union(branch: Any) -> Any:
    name, fields = branch
    return {UNION_TAG: name, **fields}
