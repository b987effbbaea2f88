"""CSV files of parties and of pairs: read whole before anything is done, with faults that name row and column."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from libs.common.record import Record

FIELD_BYTES_MAX = 64 * 1024 * 1024
"""Of one cell: a name of ten megabytes is a bad name, not a bad file."""
REMARKS_SHOWN = 5


class FileFault(Exception):
    """A file can't be used. The message names it, and the row and the column where there are some."""


class Remarks:
    """What was passed over in a file, to be told afterwards: a few in full, the others counted."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, row: int, column: str, fault: str) -> None:
        self._found.append(f"row {row}, {column}: {fault}")

    def told(self) -> Iterator[str]:
        yield from self._found[:REMARKS_SHOWN]
        if len(self._found) > REMARKS_SHOWN:
            yield f"and {len(self._found) - REMARKS_SHOWN} more"


class Table(Record):
    """The rows of a file, as they stand."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)


def read_table(path: Path) -> Table:
    """Raises FileFault: no file, not UTF-8, not CSV, or a row with more or fewer cells than the header."""
    if not path.is_file():
        raise FileFault(f"there is no file {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise FileFault(f"{path} line {line}: not UTF-8") from error
    csv.field_size_limit(FIELD_BYTES_MAX)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [tuple(row) for row in reader if row]
    except csv.Error as error:
        raise FileFault(f"{path} line {reader.line_num}: not CSV, or cut short: {error}") from error
    if not rows:
        raise FileFault(f"{path} is empty; its first row must name the columns")
    columns, *found = rows
    _require_sound(path, columns, found)
    return Table(columns=columns, rows=tuple(found))


def _require_sound(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    twice = {column for column in columns if columns.count(column) > 1}
    if twice:
        raise FileFault(f"{path} row 1: the column {sorted(twice)[0]!r} is there twice")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise FileFault(f"{path} row {number}: {len(row)} cells where the header has {len(columns)}")


def find_columns(
    path: Path, table: Table, wanted: Mapping[str, Sequence[str]], *, required: Sequence[str]
) -> dict[str, int]:
    """The places of columns under any of the names they go by, whatever their case. Raises FileFault if one lacks."""
    places = {column.strip().casefold().replace(" ", "_"): place for place, column in enumerate(table.columns)}
    found = {
        meaning: next(places[name] for name in names if name in places)
        for meaning, names in wanted.items()
        if not places.keys().isdisjoint(names)
    }
    for meaning in required:
        if meaning not in found:
            there = ", ".join(table.columns)
            raise FileFault(f"{path} row 1: there is no column {wanted[meaning][0]!r}; there are: {there}")
    return found


def with_own_columns(columns: Sequence[str], own: Sequence[str]) -> list[str]:
    """A header of the columns as they came, and of one's own, whose names give way where they are taken."""
    return [*columns, *(f"found_{name}" if name in columns else name for name in own)]


@contextmanager
def written(path: Path) -> Iterator[Any]:
    """A CSV file being written beside its place, and put there when it is whole."""
    require_writable(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield csv.writer(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Raises FileFault if no file can be put there."""
    if not path.parent.is_dir() or path.is_dir():
        raise FileFault(f"{path} can't be written: {path.parent} must be a folder, and {path.name} none")
