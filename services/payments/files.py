"""Files of payments, line by line: CSV with a header, or JSON lines, in UTF-8."""

import codecs
import csv
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from libs.common.problems import Problem
from libs.common.record import Record
from libs.common.text import printable

CSV, JSON_LINES = "text/csv", ("application/x-ndjson", "application/jsonl")
CHUNK_LINES = 500
LINE_BYTES_MAX = 8_192

_PARTY_COLUMNS = (
    *("account_id", "name", "country", "birth_date", "address", "kind", "account_number", "birth_place"),
    *("document_number", "customer_number", "institution", "institution_country", "institution_lei", "is_self_hosted"),
)
CSV_COLUMNS = (
    *(f"{role}_{column}" for role in ("debtor", "creditor") for column in _PARTY_COLUMNS),
    *("currency", "amount", "channel", "is_cash", "device_id", "ip_country", "purpose", "reference", "instructed_at"),
    "capture",
)
CSV_COLUMNS_REQUIRED = frozenset(
    {"debtor_account_id", "debtor_name", "creditor_account_id", "creditor_name", "currency", "amount"}
)

_LINE_BYTES_KEPT = LINE_BYTES_MAX + 2


class FileFormat(Record):
    """How the lines of one file are to be read."""

    signature: bytes
    """The same for two files only if equal lines of theirs mean the same."""
    parse: Callable[[bytes], Any]
    """(line) -> an order in the shape of JSON. Raises LineFault."""


class LineFault(Exception):
    """A line that is no order at all."""

    def __init__(self, detail: str, *, reason: str = "malformed") -> None:
        super().__init__(detail)
        self.reason = reason


async def read_lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a body as it arrives, without their ends. Blank ones are passed over, and of one that is too long
    so much is kept that it shows."""
    rest, is_first = b"", True
    async for part in stream:
        *complete, rest = (rest + part).split(b"\n")
        for line in complete:
            content = _content(line, is_first=is_first)
            is_first = False
            if content.strip():
                yield content
        rest = rest[:_LINE_BYTES_KEPT]
    content = _content(rest, is_first=is_first)
    if content.strip():
        yield content


def _content(line: bytes, *, is_first: bool) -> bytes:
    if is_first:
        line = line.removeprefix(codecs.BOM_UTF8)
    # Up to here it may be the carriage return that makes a line longer than its content.
    return line.removesuffix(b"\r") if len(line) <= LINE_BYTES_MAX + 1 else line[: LINE_BYTES_MAX + 1]


async def chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Lines in groups that fit a transaction."""
    chunk: list[bytes] = []
    async for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def file_format(media_type: str, lines: AsyncIterator[bytes]) -> FileFormat:
    """The format of a file of this type; for CSV its header is read. Raises Problem for any other."""
    if media_type in JSON_LINES:
        return FileFormat(signature=b"json", parse=_parse_json)
    if media_type == CSV:
        header = await anext(lines, b"")
        try:
            return FileFormat(signature=b"csv " + header, parse=_csv_parser(_csv_row(header)))
        except LineFault as fault:
            raise _wrong_header(str(fault)) from fault
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        f"send {CSV} or {JSON_LINES[0]}",
        field="Content-Type",
    )


def _wrong_header(why: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_columns", printable(why), field="header")


def _parse_json(line: bytes) -> Any:
    _require_length(line)
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineFault(f"not JSON in UTF-8: {error}") from error


def _csv_parser(columns: Sequence[str]) -> Callable[[bytes], Any]:
    if faults := _column_faults(columns):
        raise _wrong_header("; ".join(faults))

    def parse(line: bytes) -> Mapping[str, Any]:
        cells = _csv_row(line)
        if len(cells) != len(columns):
            raise LineFault(f"{len(cells)} columns where the header has {len(columns)}")
        return _nested({column: cell for column, cell in zip(columns, cells, strict=True) if cell})

    return parse


def _column_faults(columns: Sequence[str]) -> list[str]:
    faults = {
        "missing": CSV_COLUMNS_REQUIRED - set(columns),
        "unknown": set(columns) - set(CSV_COLUMNS),
        "repeated": {column for column in columns if columns.count(column) > 1},
    }
    return [f"{what}: {', '.join(sorted(names))}" for what, names in faults.items() if names]


def _csv_row(line: bytes) -> list[str]:
    _require_length(line)
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise LineFault(f"not CSV in UTF-8: {error}") from error


def _require_length(line: bytes) -> None:
    if len(line) > LINE_BYTES_MAX:
        raise LineFault(f"a line has at most {LINE_BYTES_MAX} bytes", reason="line_too_long")


def _nested(cells: Mapping[str, str]) -> Mapping[str, Any]:
    """A flat row in the shape of a JSON order."""
    order: dict[str, Any] = {"debtor": {}, "creditor": {}}
    for column, cell in cells.items():
        role, _, field = column.partition("_")
        if role in ("debtor", "creditor"):
            order[role][field] = cell
        else:
            order[column] = cell
    return order
