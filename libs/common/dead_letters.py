"""Messages that can't be applied: kept with every byte and the reason, published, and replayed on request.

The table is the truth. The topic `<service>.dead-letters.v1` tells whoever watches: its records have
the key, value and headers of the message that failed, and headers of their own that say why.
"""

import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.batch import Decided
from libs.common.database import fetch
from libs.common.message import Source
from libs.common.outbox import RECORD_BYTES_MAX, OutboxRow, size_of
from libs.common.record import replace
from libs.common.text import printable
from libs.common.writes import Table, Writes

_ERROR_LENGTH_MAX = 4_000
_STACK_LENGTH_MAX = 16_000
_KEY_LENGTH_MAX = 1_000

_DEAD_LETTERS = Table(
    "dead_letters",
    key={"event_id": "uuid"},
    fixed={
        "topic": "text",
        "partition": "integer",
        "record_offset": "bigint",
        "key": "bytea",
        "value": "bytea",
        "headers": "text",
        "error_type": "text",
        "error": "text",
        "stack": "text",
    },
)


def topic_of(service: str) -> str:
    """Where a service publishes what it could not apply."""
    return f"{service}.dead-letters.v1"


def bury(writes: Writes, service: str, dead: Sequence[Decided]) -> list[OutboxRow]:
    """Keep messages that can't be applied; return the records that tell of it."""
    letters = [result for result in dead if result.message.source is not None]
    writes.insert(_DEAD_LETTERS, map(_row, letters))
    return [_record(service, result) for result in letters]


def encode_headers(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Headers as text that any column takes, byte for byte."""
    return msgspec.json.encode([(name, value) for name, value in headers]).decode()


def decode_headers(stored: str) -> tuple[tuple[str, bytes | None], ...]:
    return msgspec.json.decode(stored, type=tuple[tuple[str, bytes | None], ...])


def describe(error: BaseException | None) -> str:
    """An error's text, short and printable enough for any column."""
    return printable(str(error))[:_ERROR_LENGTH_MAX]


def _row(result: Decided) -> tuple[Any, ...]:
    source = _source(result)
    stack = "".join(traceback.format_exception(result.error)) if result.error else ""
    return (
        result.message.message_id,
        source.topic,
        source.partition,
        source.offset,
        source.key,
        source.value,
        encode_headers(source.headers),
        type(result.error).__name__,
        describe(result.error),
        printable(stack)[-_STACK_LENGTH_MAX:],
    )


def _record(service: str, result: Decided) -> OutboxRow:
    """The record that tells of it: whole if that fits into one, else what fits of it, for the table has the rest."""
    source = _source(result)
    why = {
        "weir_dead_letter_id": result.message.message_id,
        "weir_error_type": type(result.error).__name__,
        "weir_error": describe(result.error),
        "weir_source_topic": source.topic,
        "weir_source_partition": str(source.partition),
        "weir_source_offset": str(source.offset),
    }
    original = {printable(name): printable((value or b"").decode(errors="replace")) for name, value in source.headers}
    key = printable((source.key or b"").decode(errors="replace"))
    whole = OutboxRow(topic=topic_of(service), key=key, value=source.value, headers={**original, **why})
    if size_of(whole) <= RECORD_BYTES_MAX:
        return whole
    return replace(
        whole,
        key=key[:_KEY_LENGTH_MAX],
        value=None,
        headers={**why, "weir_omitted": "value and headers: too large; they are kept in the table"},
    )


def _source(result: Decided) -> Source:
    assert result.message.source is not None, "only what came from a topic is buried"
    return result.message.source


def prune(tx: Connection, *, days: int, rows_max: int) -> int:
    """Forget the letters that were settled longest ago, past their time; return how many."""
    ((count,),) = fetch(tx, "SELECT forget_letters(%s, %s)", (days, rows_max))
    return int(count)
