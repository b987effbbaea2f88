"""Real input: a parquet or CSV file of card transactions, streamed in the order of their time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from demo import people
from demo.story import Kind, Order, Party

REQUIRED = ("TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")
LABELS = ("TX_FRAUD", "TX_FRAUD_SCENARIO")
SHORT_OF_MONEY_EVERY = 40
"""One customer in so many begins with less than the file needs."""


class WrongFile(Exception):
    """The input can't be read as card transactions; the message says why."""


class CardFile:
    """Customers pay terminals. Names are made up; each begins with the money that the file needs."""

    currency = "EUR"

    def __init__(self, path: Path, *, rows: int | None, from_date: date | None, seed: int) -> None:
        self.title = f"card transactions of {path.name}"
        table = _read(path)
        if from_date is not None:
            start = pa.scalar(datetime.combine(from_date, datetime.min.time()), type=table["TX_DATETIME"].type)
            table = table.filter(pc.greater_equal(table["TX_DATETIME"], start))
        table = table.sort_by("TX_DATETIME")
        self._table = table.slice(0, rows) if rows else table
        if not self._table.num_rows:
            raise WrongFile(f"{path} holds no transactions" + (f" from {from_date} on" if from_date else ""))
        self._customers = sorted(pc.unique(self._table["CUSTOMER_ID"]).to_pylist())
        self._terminals = sorted(pc.unique(self._table["TERMINAL_ID"]).to_pylist())
        self._numbers = {("customer", id_): number for number, id_ in enumerate(self._customers)}
        self._numbers |= {("terminal", id_): len(self._customers) + n for n, id_ in enumerate(self._terminals)}
        self._seed = seed

    def count(self) -> int:
        return int(self._table.num_rows)

    def parties(self) -> list[Party]:
        chance = Random(self._seed)
        needs = self._table.group_by("CUSTOMER_ID").aggregate([("TX_AMOUNT", "sum")])
        needed = dict(zip(needs["CUSTOMER_ID"].to_pylist(), needs["TX_AMOUNT_sum"].to_pylist(), strict=True))
        customers = [
            Party(
                number=self._numbers["customer", id_],
                name=people.person(chance),
                is_company=False,
                country=chance.choice(people.COUNTRIES),
                birth_date=people.birth_date(chance),
                funds_minor=_funds(float(needed[id_]), is_short=n % SHORT_OF_MONEY_EVERY == 0),
            )
            for n, id_ in enumerate(self._customers)
        ]
        terminals = [
            Party(
                number=self._numbers["terminal", id_],
                name=people.merchant(chance),
                is_company=True,
                country=chance.choice(people.COUNTRIES),
            )
            for id_ in self._terminals
        ]
        return [*customers, *terminals]

    def orders(self) -> Iterator[Order]:
        for batch in self._table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                yield self._order(row)

    def _order(self, row: dict[str, Any]) -> Order:
        fraud = row.get("TX_FRAUD")
        return Order(
            kind=Kind.REAL,
            debtor=self._numbers["customer", row["CUSTOMER_ID"]],
            creditor=self._numbers["terminal", row["TERMINAL_ID"]],
            amount=f"{row['TX_AMOUNT']:.2f}",
            instructed_at=row["TX_DATETIME"].replace(tzinfo=UTC).isoformat(),
            label=None if fraud is None else bool(fraud),
            scenario=row.get("TX_FRAUD_SCENARIO"),
        )


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise WrongFile(f"there is no file {path}")
    try:
        if path.suffix == ".parquet":
            names = pyarrow.parquet.read_schema(path).names
            table = pyarrow.parquet.read_table(path, columns=[c for c in (*REQUIRED, *LABELS) if c in names])
        else:
            table = pyarrow.csv.read_csv(path)
    except pa.ArrowException as error:
        raise WrongFile(f"{path} is neither parquet nor CSV: {error}") from error
    missing = [column for column in REQUIRED if column not in table.column_names]
    if missing:
        raise WrongFile(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(table.column_names)}")
    try:
        times = table["TX_DATETIME"].cast(pa.timestamp("us"))
        amounts = table["TX_AMOUNT"].cast(pa.float64())
    except pa.ArrowException as error:
        raise WrongFile(f"{path}: {error}") from error
    table = table.set_column(table.column_names.index("TX_DATETIME"), "TX_DATETIME", times)
    return table.set_column(table.column_names.index("TX_AMOUNT"), "TX_AMOUNT", amounts)


def _funds(needed: float, *, is_short: bool) -> int:
    """Whole cents, with something to spare; or clearly too few."""
    return max(1, round(needed * (60 if is_short else 110))) + (0 if is_short else 10_000)
