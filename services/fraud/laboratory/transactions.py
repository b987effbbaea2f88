"""Files of card transactions, in the columns of the Fraud Detection Handbook, as payments in order of time.

| column | |
|---|---|
| TRANSACTION_ID | whatever names it; may repeat, for numbers from outside do |
| TX_DATETIME | ISO 8601; UTC where it names no offset |
| CUSTOMER_ID, TERMINAL_ID | who pays, and who is paid |
| TX_AMOUNT | in units of the currency, rounded to its minor unit; not negative |
| TX_FRAUD | optional: 1 for fraud, 0 for genuine, empty where nobody knows |
| TX_FRAUD_SCENARIO | optional: the kind of fraud, for the figures of a backtest |
| CURRENCY, CHANNEL, DEVICE_ID, IP_COUNTRY, CUSTOMER_COUNTRY, TERMINAL_COUNTRY | optional |
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from libs.common.money import SCALES
from libs.common.record import Record
from schemas.fraud.events import Label
from schemas.payments.events import Channel, Party, PaymentOrder, PaymentPersonalData
from services.fraud.laboratory.replay import KnownPayment

NEEDED = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")
ROWS_TOLD_MAX = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AMOUNT_MAX = 2.0**53
"""In minor units: above this a float is no exact number of them."""

Array = np.ndarray[Any, Any]


class FileFault(Exception):
    """A file that can't be read as transactions: what is wrong, and in which rows, counted from 1 below the header."""


class Transactions(Record):
    """The rows of a file. Arrays are in the file's order; `order` sorts them by time, equal times as in the file."""

    ids: Any
    """As an Arrow array, for it is handed back as it came."""
    micros: Array
    labels: Array
    """1 fraud, 0 genuine, -1 unknown."""
    order: Array
    columns: dict[str, Sequence[Any]]
    repeated_ids: int
    unsorted: int
    """Rows that stand behind a later one."""

    def __len__(self) -> int:
        return len(self.micros)

    @property
    def remarks(self) -> list[str]:
        """What is odd about the file, and what was done about it."""
        found = []
        if self.unsorted:
            found.append(f"{self.unsorted:,} rows stood behind a later one: sorted by time")
        if self.repeated_ids:
            found.append(f"{self.repeated_ids:,} transaction ids had come before: each row is taken for itself")
        return found

    def payments(self) -> Iterator[KnownPayment]:
        """The rows as payments, in order of time; a payment's id is the number of its row, from 0."""
        columns = self.columns
        make = _order_maker()
        for row in self.order.tolist():
            order = make({name: values[row] for name, values in columns.items()}, int(self.micros[row]))
            yield KnownPayment(payment_id=str(row), order=order, label=_LABELS[int(self.labels[row])])


_LABELS = {1: Label.FRAUD, 0: Label.GENUINE, -1: None}


def read(path: Path) -> Transactions:
    """The transactions of a parquet or CSV file. Raises FileFault."""
    table = _table(path)
    if missing := [name for name in NEEDED if name not in table.column_names]:
        raise FileFault(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}")
    if not len(table):
        raise FileFault(f"{path.name} has no rows")
    micros = _micros(table)
    columns = {name: table[name].to_pylist() for name in _OPTIONAL if name in table.column_names}
    currencies = _checked(columns, "CURRENCY", set(SCALES), "a currency")
    _checked(columns, "CHANNEL", {channel.value for channel in Channel}, "a channel")
    columns["CUSTOMER_ID"] = _names(table, "CUSTOMER_ID")
    columns["TERMINAL_ID"] = _names(table, "TERMINAL_ID")
    columns["amount_minor"] = _minor(table, currencies)
    order = np.argsort(micros, kind="stable")
    return Transactions(
        ids=table["TRANSACTION_ID"],
        micros=micros,
        labels=_labels(table),
        order=order,
        columns=columns,
        repeated_ids=len(table) - pc.count_distinct(table["TRANSACTION_ID"], mode="all").as_py(),
        unsorted=int((micros < np.maximum.accumulate(micros)).sum()),
    )


def write(path: Path, table: pa.Table) -> None:
    """A table as parquet or CSV, whichever the name asks for. Raises FileFault for another."""
    writers: dict[str, Callable[[], None]] = {
        ".parquet": lambda: parquet.write_table(table, path),
        ".csv": lambda: csv.write_csv(table, path),
    }
    writers[_format(path)]()


def _format(path: Path) -> str:
    if path.suffix not in (".parquet", ".csv"):
        raise FileFault(f"{path.name} is neither .parquet nor .csv")
    return path.suffix


def _table(path: Path) -> pa.Table:
    if not path.is_file():
        raise FileFault(f"there is no file {path}")
    try:
        return parquet.read_table(path) if _format(path) == ".parquet" else csv.read_csv(path)
    except pa.ArrowInvalid as error:
        raise FileFault(f"{path.name} can't be read: {error}") from error


def _micros(table: pa.Table) -> Array:
    column = table["TX_DATETIME"]
    if pa.types.is_timestamp(column.type):
        cast = column
    else:
        cast = _cast(column.cast(pa.string()), pa.timestamp("us", "UTC"), "TX_DATETIME", "a time", _instant)
    _require(pc.is_null(cast), column, "TX_DATETIME", "a time")
    return np.asarray(cast.cast(pa.timestamp("us"), safe=False).to_numpy()).astype("datetime64[us]").astype(np.int64)


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _cast(column: Any, type_: Any, name: str, wanted: str, parse: Callable[[str], Any]) -> Any:
    """A column of texts as another type, each parsed by itself where the whole can't be."""
    values: list[Any] = []
    bad: list[int] = []
    for row, text in enumerate(column.to_pylist()):
        try:
            values.append(None if text is None else parse(text))
        except ValueError:
            values.append(None)
            bad.append(row)
    if bad:
        raise FileFault(_told(column, bad, name, wanted))
    return pa.chunked_array([pa.array(values, type=type_)])


def _require(is_bad: Any, column: Any, name: str, wanted: str) -> None:
    bad = np.flatnonzero(np.asarray(is_bad.to_numpy(zero_copy_only=False) if hasattr(is_bad, "to_numpy") else is_bad))
    if len(bad):
        raise FileFault(_told(column, bad.tolist(), name, wanted))


def _told(column: Any, bad: Sequence[int], name: str, wanted: str) -> str:
    shown = "; ".join(f"row {row + 1}: {column[row].as_py()!r}" for row in bad[:ROWS_TOLD_MAX])
    more = f"; and {len(bad) - ROWS_TOLD_MAX:,} more" if len(bad) > ROWS_TOLD_MAX else ""
    return f"{name} is not {wanted} in {len(bad):,} rows ({shown}{more})"


def _names(table: pa.Table, name: str) -> list[str]:
    column = table[name]
    _require(pc.is_null(column), column, name, "given")
    kind = name.removesuffix("_ID").lower()
    named: dict[Any, str] = {}
    return [named.setdefault(value, f"{kind} {value}") for value in column.to_pylist()]


def _minor(table: pa.Table, currencies: Sequence[str] | None) -> list[int]:
    column = table["TX_AMOUNT"]
    numbers = column if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) else None
    if numbers is None:
        numbers = _cast(column.cast(pa.string()), pa.float64(), "TX_AMOUNT", "a number", float)
    amounts = np.asarray(numbers.cast(pa.float64()).to_numpy())
    scales = np.array([10.0 ** SCALES[code] for code in currencies]) if currencies else 100.0
    minor = np.rint(amounts * scales)
    _require(~((minor >= 0) & (minor <= _AMOUNT_MAX)), column, "TX_AMOUNT", "an amount from 0 on")
    return [int(amount) for amount in minor.tolist()]


def _labels(table: pa.Table) -> Array:
    if "TX_FRAUD" not in table.column_names:
        return np.full(len(table), -1, dtype=np.int8)
    column = table["TX_FRAUD"]
    if not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_floating(column.type)):
        if column.null_count < len(column):
            column_of_numbers = _cast(column.cast(pa.string()), pa.float64(), "TX_FRAUD", "0 or 1", float)
        else:
            column_of_numbers = pa.chunked_array([pa.nulls(len(column), pa.float64())])
    else:
        column_of_numbers = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    labels = np.asarray(column_of_numbers.cast(pa.float64()).fill_null(-1).to_numpy())
    labels = np.where(np.isnan(labels), -1, labels)
    _require(~np.isin(labels, (-1, 0, 1)), column, "TX_FRAUD", "0 or 1")
    return labels.astype(np.int8)


_OPTIONAL = (
    "CURRENCY",
    "CHANNEL",
    "DEVICE_ID",
    "IP_COUNTRY",
    "CUSTOMER_COUNTRY",
    "TERMINAL_COUNTRY",
    "TX_FRAUD_SCENARIO",
)


def _checked(columns: dict[str, Sequence[Any]], name: str, known: set[str], wanted: str) -> Sequence[str] | None:
    values = columns.get(name)
    if values is not None:
        bad = [row for row, value in enumerate(values) if value not in known]
        if bad:
            raise FileFault(_told(pa.array(values), bad, name, wanted))
    return values


def _order_maker() -> Callable[[dict[str, Any], int], PaymentOrder]:
    parties: dict[tuple[str, str | None], Party] = {}

    def party(name: str, country: str | None) -> Party:
        return parties.setdefault((name, country), Party(name=name, country=country))

    def make(row: dict[str, Any], micros: int) -> PaymentOrder:
        debtor, creditor = row["CUSTOMER_ID"], row["TERMINAL_ID"]
        return PaymentOrder(
            client_id="file",
            debtor_account_id=debtor,
            creditor_account_id=creditor,
            debtor_customer_id=debtor,
            creditor_customer_id=creditor,
            amount_minor=row["amount_minor"],
            currency=row.get("CURRENCY") or "EUR",
            channel=Channel(row.get("CHANNEL") or "card"),
            device_id=row.get("DEVICE_ID"),
            ip_country=row.get("IP_COUNTRY"),
            instructed_at=_EPOCH + timedelta(microseconds=micros),
            personal=PaymentPersonalData(
                debtor=party(debtor, row.get("CUSTOMER_COUNTRY")), creditor=party(creditor, row.get("TERMINAL_COUNTRY"))
            ),
        )

    return make
