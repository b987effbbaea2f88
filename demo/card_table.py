"""A file of card transactions as a table: checked from end to end before anything is started for it.

What makes a row impossible to order is told by its place: a time, customer, terminal or amount that is empty or can't
be read. What can be ordered is, even where it is sure to be refused, such as an amount of zero: refusals are counted.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from libs.common.fields import YEAR_MAX, YEAR_MIN

TIME, CUSTOMER, TERMINAL, AMOUNT = REQUIRED = ("TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")
LABEL, SCENARIO = LABELS = ("TX_FRAUD", "TX_FRAUD_SCENARIO")
SHOWN_LENGTH_MAX = 40
"""Of a value that is wrong."""

_MICROSECONDS = pa.timestamp("us")
_TIMES = [pa.timestamp(unit, zone) for unit in ("us", "ns") for zone in (None, "UTC")]
"""How a time may be written: as finely as nanoseconds, and with an offset or, in UTC, without."""


class WrongFile(Exception):
    """The input can't be read as card transactions; the message says why, and where."""


def read(path: Path) -> pa.Table:
    """The file's transactions in their order there: times in UTC, ids as text, amounts as floats. Raises WrongFile."""
    if not path.is_file():
        raise WrongFile(f"there is no file {path}")
    is_parquet = path.suffix == ".parquet"
    try:
        table = _read_parquet(path) if is_parquet else _read_csv(path)
    except (pa.ArrowException, csv.Error, OSError) as error:
        raise WrongFile(f"{path} can't be read as {'parquet' if is_parquet else 'CSV'}: {error}") from error
    return _Checked(path, table, is_parquet=is_parquet).table()


def _read_parquet(path: Path) -> pa.Table:
    names = _known(path, pyarrow.parquet.read_schema(path).names)
    return pyarrow.parquet.read_table(path, columns=names)


def _read_csv(path: Path) -> pa.Table:
    """Every cell as text: else a column's type is guessed from its first rows, and what differs later has no place."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        header = next((row for row in csv.reader(file) if row), [])
    names = _known(path, header)
    cells = pyarrow.csv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    # On one thread, for an error in parsing to tell its line.
    return pyarrow.csv.read_csv(path, read_options=pyarrow.csv.ReadOptions(use_threads=False), convert_options=cells)


def _known(path: Path, names: Sequence[str]) -> list[str]:
    """The columns that mean something here, of all."""
    counted = Counter(names)
    if missing := [name for name in REQUIRED if name not in counted]:
        raise WrongFile(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(names) or 'none'}")
    known = [name for name in (*REQUIRED, *LABELS) if name in counted]
    if several := [name for name in known if counted[name] > 1]:
        raise WrongFile(f"{path} has more than one column {', '.join(several)}")
    return known


class _Checked:
    """The columns of a file, each as what it has to be."""

    def __init__(self, path: Path, table: pa.Table, *, is_parquet: bool) -> None:
        self._path = path
        self._table = table
        self._is_parquet = is_parquet

    def table(self) -> pa.Table:
        columns = {
            TIME: self._times(),
            CUSTOMER: self._ids(CUSTOMER),
            TERMINAL: self._ids(TERMINAL),
            AMOUNT: self._amounts(),
        }
        optional = {LABEL: self._labels, SCENARIO: self._scenarios}
        present = {name: read() for name, read in optional.items() if name in self._table.column_names}
        return pa.table({**columns, **present})

    def _times(self) -> pa.ChunkedArray:
        column, what = self._filled(TIME), "a time such as 2018-04-01 00:00:31"
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            written = next((kind for kind in _TIMES if _can_be(column, kind)), _MICROSECONDS)
            column = self._cast(TIME, column, written, what)
        elif not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
            raise WrongFile(f"{self._path}: {TIME} must hold times, not {column.type}")
        times = self._cast(TIME, column, _MICROSECONDS, what)
        first, end = datetime(YEAR_MIN, 1, 1, tzinfo=UTC), datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)
        first, end = (pa.scalar(at.replace(tzinfo=None), type=_MICROSECONDS) for at in (first, end))
        reachable = pc.and_(pc.greater_equal(times, first), pc.less(times, end))
        self._refuse(TIME, pc.invert(reachable), f"not within the years {YEAR_MIN} to {YEAR_MAX}")
        return times

    def _ids(self, name: str) -> pa.ChunkedArray:
        ids = self._cast(name, self._filled(name), pa.string(), "something that tells who it is")
        self._refuse(name, pc.equal(pc.utf8_trim_whitespace(ids), ""), "empty")
        return ids

    def _amounts(self) -> pa.ChunkedArray:
        amounts = self._cast(AMOUNT, self._filled(AMOUNT), pa.float64(), "an amount such as 57.16")
        self._refuse(AMOUNT, pc.invert(pc.is_finite(amounts)), "not an amount")
        return amounts

    def _labels(self) -> pa.ChunkedArray:
        """1 or 0, or null where nobody knows."""
        labels = self._numbers(LABEL, "1, 0 or empty")
        is_one = pc.is_in(labels, value_set=pa.array([0.0, 1.0, None]))
        self._refuse(LABEL, pc.invert(is_one), "not 1, 0 or empty")
        return labels.cast(pa.int64())

    def _scenarios(self) -> pa.ChunkedArray:
        scenarios = self._numbers(SCENARIO, "a whole number or empty")
        return self._cast(SCENARIO, scenarios, pa.int64(), "a whole number or empty")

    def _numbers(self, name: str, what: str) -> pa.ChunkedArray:
        """A column that may be empty. Not a number is how some programs write that in a column of numbers."""
        numbers = self._cast(name, self._table[name], pa.float64(), what)
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)

    def _filled(self, name: str) -> pa.ChunkedArray:
        column = self._table[name]
        self._refuse(name, column.is_null(nan_is_null=True), "empty")
        return column

    def _cast(self, name: str, column: pa.ChunkedArray, kind: pa.DataType, what: str) -> pa.ChunkedArray:
        try:
            return _as(column, kind)
        except pa.ArrowException as error:
            row = _first_other(column, kind)
            shown = str(column[row].as_py())[:SHOWN_LENGTH_MAX]
            raise WrongFile(f"{self._place(name, row)} is {shown!r}, not {what}") from error

    def _refuse(self, name: str, is_wrong: pa.ChunkedArray, why: str) -> None:
        """Tell the first row that is wrong, if there is one."""
        row = pc.index(is_wrong, True).as_py()
        if row >= 0:
            shown = f", {self._table[name][row].as_py()}," if why != "empty" else ""
            raise WrongFile(f"{self._place(name, row)}{shown} is {why}")

    def _place(self, name: str, row: int) -> str:
        """As people count: rows from 1, and of a text its lines from the header's on, but for blank ones."""
        return f"{self._path}: {name} of {f'row {row + 1:,}' if self._is_parquet else f'line {row + 2:,}'}"


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Times may lose what is finer than their unit; nothing else is changed."""
    return column.cast(options=pc.CastOptions(target_type=kind, allow_time_truncate=True))


def _can_be(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        _as(column, kind)
    except pa.ArrowException:
        return False
    return True


def _first_other(column: pa.ChunkedArray, kind: pa.DataType) -> int:
    """The first row that can't be cast, of a column that has one."""
    start, end = 0, len(column)
    while end - start > 1:
        middle = (start + end) // 2
        if _can_be(column.slice(start, middle - start), kind):
            start = middle
        else:
            end = middle
    return start
