"""Files of card transactions, in the columns of the Fraud Detection Handbook, as payments in order of time.

| column | |
|---|---|
| TRANSACTION_ID | whatever names it; may repeat, for numbers from outside do |
| TX_DATETIME | ISO 8601, or a parquet timestamp; UTC where it names no offset |
| CUSTOMER_ID, TERMINAL_ID | who pays, and who is paid |
| TX_AMOUNT | in units of the currency, rounded to its minor unit; not negative |
| TX_FRAUD | optional: 1 for fraud, 0 for genuine, empty where nobody knows |
| TX_FRAUD_SCENARIO | optional: the kind of fraud, for the figures of a backtest |
| CURRENCY, CHANNEL, DEVICE_ID, IP_COUNTRY, CUSTOMER_COUNTRY, TERMINAL_COUNTRY | optional, and may be empty: EUR, card |
"""

from collections.abc import Callable, Collection, Iterator, Sequence
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
SCENARIO = "TX_FRAUD_SCENARIO"
OPTIONAL = ("CURRENCY", "CHANNEL", "DEVICE_ID", "IP_COUNTRY", "CUSTOMER_COUNTRY", "TERMINAL_COUNTRY", SCENARIO)
LABEL = "TX_FRAUD"
ROWS_TOLD_MAX = 10
AMOUNT_MINOR_MAX = 2**53
"""Above this a float is no exact number of minor units."""
YEAR_MIN, YEAR_MAX = 1900, 2199
_DEFAULT_CURRENCY, _DEFAULT_CHANNEL = "EUR", Channel.CARD.value
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN = {*NEEDED, *OPTIONAL, LABEL}
_SHOWN_LENGTH_MAX = 60

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
    if not len(table):
        raise FileFault(f"{path.name} has no rows")
    for name in NEEDED:
        _refuse(pc.is_null(table[name], nan_is_null=True), table[name], name, "given")
    micros = _micros(table["TX_DATETIME"])
    columns: dict[str, Sequence[Any]] = {
        name: _texts(table[name], name) for name in OPTIONAL if name in table.column_names
    }
    _require_known(columns, "CURRENCY", SCALES, "a currency")
    _require_known(columns, "CHANNEL", [channel.value for channel in Channel], "a channel")
    columns["CUSTOMER_ID"] = _named("customer", table)
    columns["TERMINAL_ID"] = _named("terminal", table)
    columns["amount_minor"] = _minor(table["TX_AMOUNT"], columns.get("CURRENCY"))
    ids = table["TRANSACTION_ID"]
    return Transactions(
        ids=ids,
        micros=micros,
        labels=_labels(table),
        order=np.argsort(micros, kind="stable"),
        columns=columns,
        repeated_ids=len(table) - pc.count_distinct(ids, mode="all").as_py(),
        unsorted=int((micros < np.maximum.accumulate(micros)).sum()),
    )


def write(path: Path, table: pa.Table) -> None:
    """A table as parquet or CSV, whichever the name asks for. Raises FileFault."""
    require_writable(path)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        csv.write_csv(table, path)


def require_writable(path: Path) -> None:
    """See to it before a long run that its result can be written. Raises FileFault."""
    _require_format(path)
    if not path.parent.is_dir():
        raise FileFault(f"there is no folder {path.parent}")


def _require_format(path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise FileFault(f"{path.name} is neither .parquet nor .csv")


# Tables, of known columns alone


def _table(path: Path) -> pa.Table:
    if not path.is_file():
        raise FileFault(f"there is no file {path}")
    _require_format(path)
    try:
        table = _from_parquet(path) if path.suffix == ".parquet" else _from_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise FileFault(f"{path.name} can't be read: {error}") from error
    return table


def _from_parquet(path: Path) -> pa.Table:
    table = parquet.read_table(path, columns=_known_of(path, parquet.read_schema(path).names))
    # Categories, as pandas keeps them, are their values here.
    plain = [column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in table]
    return pa.table(plain, names=table.column_names)


def _from_csv(path: Path) -> pa.Table:
    """All as texts, for a type guessed from the first rows may not be that of the others."""
    uneven: list[csv.InvalidRow] = []

    def note(row: csv.InvalidRow) -> str:
        uneven.append(row)
        return "skip"

    how = csv.ParseOptions(invalid_row_handler=note)
    with csv.open_csv(path, parse_options=how) as reader:
        names = _known_of(path, reader.schema.names)
    uneven.clear()
    table = csv.read_csv(
        path,
        # One thread, for only then rows have their numbers.
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=how,
        convert_options=csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    if uneven:
        # Arrow counts the header.
        raise FileFault(_told([(row.number - 1, row.text) for row in uneven], "the rows", "as long as the header"))
    place = names.index("TRANSACTION_ID")
    return table.set_column(place, "TRANSACTION_ID", _as_numbers(table["TRANSACTION_ID"]))


def _known_of(path: Path, names: Sequence[str]) -> list[str]:
    """The columns to be read, of all that a file has."""
    if missing := [name for name in NEEDED if name not in names]:
        raise FileFault(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(names)}")
    known = [name for name in names if name in _KNOWN]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise FileFault(f"{path.name} has more than one column {', '.join(twice)}")
    return known


def _as_numbers(texts: Any) -> Any:
    """Ids as whole numbers, if each is written as one is."""
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return texts
    return numbers if numbers.cast(pa.string()).equals(texts) else texts


# Columns


def _micros(column: Any) -> Array:
    times = _times(column)
    _refuse(pc.is_null(times), column, "TX_DATETIME", "a time")
    # What is finer than a microsecond is cut.
    instants = np.asarray(times.cast(pa.int64()).to_numpy()).astype(f"datetime64[{times.type.unit}]")
    years = instants.astype("datetime64[Y]").astype(np.int64) + 1970
    wanted = f"a time from {YEAR_MIN} to {YEAR_MAX}"
    _refuse((years < YEAR_MIN) | (years > YEAR_MAX), column, "TX_DATETIME", wanted)
    micros: Array = instants.astype("datetime64[us]").astype(np.int64)
    return micros


def _times(column: Any) -> Any:
    """Instants, as UTC where they name no offset; null where there is none to be found."""
    if pa.types.is_timestamp(column.type):
        return column
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("s"))
    texts = _as_texts(column, "TX_DATETIME", "a time")
    for wanted in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return texts.cast(wanted)
        except pa.ArrowInvalid:
            continue
    return _one_by_one(texts, _instant, pa.timestamp("us", "UTC"))


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _one_by_one(texts: Any, parse: Callable[[str], Any], type_: Any) -> Any:
    """Values of texts, null where there is none to be found."""

    def value(text: str | None) -> Any:
        try:
            return None if text is None else parse(text)
        except (ValueError, OverflowError):
            return None

    return pa.chunked_array([pa.array([value(text) for text in texts.to_pylist()], type=type_)])


def _numbers(column: Any, name: str, wanted: str) -> Array:
    """Floats, not-a-number for null."""
    type_ = column.type
    if pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())
    texts = _as_texts(column, name, wanted)
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        numbers = _one_by_one(texts, float, pa.float64())
        _refuse(pc.and_(pc.is_null(numbers), pc.is_valid(texts)), column, name, wanted)
    return np.asarray(numbers.to_numpy())


def _as_texts(column: Any, name: str, wanted: str) -> Any:
    if not any(is_kind(column.type) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)):
        raise FileFault(f"{name} is not {wanted}, but {column.type}")
    return column.cast(pa.string())


def _texts(column: Any, name: str) -> list[str | None]:
    """Whatever it is, as texts; None where it is empty."""
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise FileFault(f"{name} is not a text, but {column.type}")
    return [None if value in (None, "") else str(value) for value in column.to_pylist()]


def _named(kind: str, table: pa.Table) -> list[str]:
    """What accounts are called: one text for each, however often it comes."""
    known: dict[Any, str] = {}
    name = f"{kind.upper()}_ID"
    texts = _texts(table[name], name)
    _refuse(np.array([text is None for text in texts]), table[name], name, "given")
    return [known.setdefault(text, f"{kind} {text}") for text in texts]


def _minor(column: Any, currencies: Sequence[str | None] | None) -> list[int]:
    wanted = f"an amount from 0 to {AMOUNT_MINOR_MAX:,} minor units"
    amounts = _numbers(column, "TX_AMOUNT", wanted)
    scales = {currency: 10.0**scale for currency, scale in SCALES.items()}
    factor = np.array([scales[code or _DEFAULT_CURRENCY] for code in currencies or [None]])
    with np.errstate(over="ignore"):
        minor = np.rint(amounts * factor)
    _refuse(~((minor >= 0) & (minor <= AMOUNT_MINOR_MAX)), column, "TX_AMOUNT", wanted)
    return minor.astype(np.int64).tolist()  # type: ignore[no-any-return]


def _labels(table: pa.Table) -> Array:
    if LABEL not in table.column_names:
        return np.full(len(table), -1, dtype=np.int8)
    column = table[LABEL]
    numbers = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    labels = _numbers(numbers, LABEL, "0 or 1")
    _refuse(~(np.isnan(labels) | np.isin(labels, (0, 1))), column, LABEL, "0 or 1")
    return np.where(np.isnan(labels), -1, labels).astype(np.int8)


def _require_known(columns: dict[str, Sequence[Any]], name: str, known: Collection[str], wanted: str) -> None:
    values = columns.get(name, ())
    is_bad = np.array([value is not None and value not in known for value in values], dtype=bool)
    _refuse(is_bad, values, name, wanted)


def _refuse(is_bad: Any, column: Any, name: str, wanted: str) -> None:
    """Raises FileFault if there is any bad row."""
    bad = np.flatnonzero(np.asarray(is_bad))
    if len(bad):
        raise FileFault(_told([(row + 1, column[row]) for row in bad.tolist()], name, wanted))


def _told(bad: Sequence[tuple[int, Any]], name: str, wanted: str) -> str:
    shown = "; ".join(f"row {number}: {_shown(value)}" for number, value in bad[:ROWS_TOLD_MAX])
    more = f"; and {len(bad) - ROWS_TOLD_MAX:,} more" if len(bad) > ROWS_TOLD_MAX else ""
    are = "are" if name.startswith("the ") else "is"
    return f"{name} {are} not {wanted} in {len(bad):,} row{'s' * (len(bad) > 1)} ({shown}{more})"


def _shown(value: Any) -> str:
    try:
        text = repr(value.as_py() if isinstance(value, pa.Scalar) else value)
    except (OverflowError, ValueError):
        # A time beyond all calendars, or too fine for one.
        text = str(value.cast(pa.int64()).as_py())
    return text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[:_SHOWN_LENGTH_MAX]}…"


# Orders


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
            currency=row.get("CURRENCY") or _DEFAULT_CURRENCY,
            channel=Channel(row.get("CHANNEL") or _DEFAULT_CHANNEL),
            device_id=row.get("DEVICE_ID"),
            ip_country=row.get("IP_COUNTRY"),
            instructed_at=_EPOCH + timedelta(microseconds=micros),
            personal=PaymentPersonalData(
                debtor=party(debtor, row.get("CUSTOMER_COUNTRY")), creditor=party(creditor, row.get("TERMINAL_COUNTRY"))
            ),
        )

    return make
