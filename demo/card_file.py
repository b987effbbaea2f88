"""Real input: a parquet or CSV file of card transactions, streamed in the order of their time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from demo import card_table, people
from demo.card_table import AMOUNT, CUSTOMER, LABEL, SCENARIO, TERMINAL, TIME, WrongFile
from demo.story import Kind, Order, Party
from libs.common.money import AMOUNT_MINOR_MAX

SHORT_OF_MONEY_EVERY = 40
"""One customer in so many begins with less than the file needs."""


class CardFile:
    """Customers pay terminals. Names are made up; each begins with the money that the file needs."""

    currency = "EUR"

    def __init__(self, path: Path, *, rows: int | None, from_date: date | None, seed: int) -> None:
        """Read and check the file. Raises WrongFile."""
        self.title = f"card transactions of {path.name}"
        table = card_table.read(path)
        if from_date is not None:
            start = pa.scalar(datetime.combine(from_date, datetime.min.time()), type=table[TIME].type)
            table = table.filter(pc.greater_equal(table[TIME], start))
        table = table.sort_by(TIME)
        self._table = table.slice(0, rows) if rows else table
        if not self._table.num_rows:
            raise WrongFile(f"{path} holds no transactions" + (f" from {from_date} on" if from_date else ""))
        self._customers = _ids(self._table[CUSTOMER])
        self._terminals = _ids(self._table[TERMINAL])
        self._numbers = {("customer", id_): number for number, id_ in enumerate(self._customers)}
        self._numbers |= {("terminal", id_): len(self._customers) + n for n, id_ in enumerate(self._terminals)}
        self._seed = seed

    def count(self) -> int:
        return int(self._table.num_rows)

    def parties(self) -> list[Party]:
        chance = Random(self._seed)
        needed = self._needed()
        customers = [
            Party(
                number=self._numbers["customer", id_],
                name=people.person(chance),
                is_company=False,
                country=chance.choice(people.COUNTRIES),
                birth_date=people.birth_date(chance),
                funds_minor=_funds(needed.get(id_, 0.0), is_short=n % SHORT_OF_MONEY_EVERY == 0),
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
        fraud = row.get(LABEL)
        return Order(
            kind=Kind.REAL,
            debtor=self._numbers["customer", row[CUSTOMER]],
            creditor=self._numbers["terminal", row[TERMINAL]],
            amount=f"{row[AMOUNT]:.2f}",
            instructed_at=row[TIME].replace(tzinfo=UTC).isoformat(),
            label=None if fraud is None else bool(fraud),
            scenario=row.get(SCENARIO),
        )

    def _needed(self) -> dict[str, float]:
        """What each customer's payments come to, but for those that nobody could pay."""
        amounts = self._table[AMOUNT]
        is_payable = pc.and_(pc.greater(amounts, 0), pc.less_equal(amounts, AMOUNT_MINOR_MAX / 100))
        sums = self._table.filter(is_payable).group_by(CUSTOMER).aggregate([(AMOUNT, "sum")])
        return dict(zip(sums[CUSTOMER].to_pylist(), sums[f"{AMOUNT}_sum"].to_pylist(), strict=True))


def _ids(column: pa.ChunkedArray) -> list[str]:
    """Everyone once; whole numbers are in their own order."""
    return sorted(pc.unique(column).to_pylist(), key=lambda id_: (len(id_), id_))


def _funds(needed: float, *, is_short: bool) -> int:
    """Whole cents, with something to spare; or clearly too few."""
    funds = max(1, round(needed * (60 if is_short else 110))) + (0 if is_short else 10_000)
    return min(funds, AMOUNT_MINOR_MAX)
