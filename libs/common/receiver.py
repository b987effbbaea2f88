"""From bytes to messages: what the consumer reads from a topic, and a replay from what was kept of one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import methodcaller
from typing import Any

from libs.common import envelope, ids, parking
from libs.common.batch import Handlers, Unreadable
from libs.common.codec import Codec, Undecodable
from libs.common.message import Message, Source
from libs.common.schema_diff import differences
from libs.common.text import printable


class Receiver:
    """Decodes what a service's handlers decide on."""

    def __init__(self, handlers: Handlers, codec: Codec) -> None:
        self._handlers = handlers
        self._codec = codec

    def message(self, source: Source, received_at: datetime) -> Message | None:
        """The message in a record: unreadable if it can't be decoded, None if it is of no interest here.

        Raises Outage while the registry can't be asked about a schema.
        """
        headers: dict[str, str] = {}
        body: Any
        try:
            reader = self._codec.reader_of(source.value)
            if reader is None or reader.event_type not in self._handlers.decisions:
                return None
            if reader.event_type.contract.topic.name != source.topic:
                raise Undecodable(f"{reader.event_type.__name__} does not belong on {source.topic}")
            headers = text_of(source.headers)
            message_id, body = headers.get(envelope.ID, ""), reader.decode(source.value or b"")
            if not ids.is_id(message_id):
                raise Undecodable(f"header {envelope.ID} must be a UUID, but is {message_id!r}")
        except Undecodable as error:
            # Its own id can't be trusted: junk must not be able to use up the id of an event to come.
            message_id = place_id(source.topic, source.partition, source.offset)
            headers, body = text_of(source.headers), Unreadable(reason=str(error))
        return Message(
            message_id=message_id,
            body=body,
            received_at=received_at,
            trace=envelope.trace_of(headers, fallback_id=message_id),
            key=printable((source.key or b"").decode(errors="replace")),
            parks_key=self._handlers.parks_keys and _is_ours(source, headers),
            source=source,
        )

    def differences(self, source: Source) -> list[str]:
        """How the schema a record was written with differs from the one it is read with here; empty if it doesn't.

        Raises Outage while the registry can't be asked.
        """
        try:
            written = self._codec.declared(source.value)
        except Undecodable as error:
            return [str(error)]
        if written is None:
            return ["the registry knows no schema of the id that it names"]
        contracts = [kind.contract for kind in self._handlers.reads if kind.contract.full_name == _place_of(written)]
        if not contracts:
            return [f"{_place_of(written)} is not read here"]
        return differences(written=written, read=contracts[0].schema)


def _place_of(schema: Mapping[str, Any]) -> str:
    return f"{schema.get('namespace')}.{schema.get('name')}"


def _is_ours(source: Source, headers: Mapping[str, str]) -> bool:
    is_key_ours = len(source.key or b"") <= parking.KEY_BYTES_MAX
    return is_key_ours and envelope.is_from(headers, service=source.topic.partition(".")[0])


def place_id(topic: str, partition: int, offset: int) -> str:
    """The id of whatever lies at a place of a log, for what has no id that can be trusted."""
    return ids.named(topic, str(partition), str(offset))


def text_of(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text, whatever is in them."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers}


def source_of(record: Any) -> Source:
    """A record as the client of Kafka hands it over."""
    return Source(
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        key=record.key(),
        value=record.value(),
        headers=_headers(record),
    )


# Not `record.headers()`: where the client can't hand them over it returns and leaves an exception behind, which the
# interpreter, once a call site is warm, no longer looks for; it would come up somewhere else. Here it always looks.
_ask_headers = methodcaller("headers")


def _headers(record: Any) -> tuple[tuple[str, bytes | None], ...]:
    try:
        return tuple(_ask_headers(record) or ())
    except (SystemError, UnicodeDecodeError):
        # The client can't hand over a header whose name is not UTF-8, nor any other of its record.
        return (("weir_headers_unreadable", b"a name is not UTF-8"),)
