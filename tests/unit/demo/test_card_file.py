"""A file of card transactions: what can't be ordered is told by its place, and the rest is ordered in order of time."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from demo.card_file import CardFile
from demo.card_table import WrongFile
from libs.common.money import AMOUNT_MINOR_MAX

NAN, INFINITE = float("nan"), float("inf")
HEADER = "TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,TX_FRAUD_SCENARIO"
GOOD = "2018-04-01 08:00:00,7,3,12.50,0,0"


def csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "cards.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def parquet(folder: Path, **columns: list[Any]) -> Path:
    """Two transactions, the first of them good, with some of the columns as told."""
    good = {
        "TX_DATETIME": [datetime(2018, 4, 1, 8)] * 2,
        "CUSTOMER_ID": [7, 8],
        "TERMINAL_ID": [3, 4],
        "TX_AMOUNT": [12.5, 7.0],
    }
    path = folder / "cards.parquet"
    pyarrow.parquet.write_table(pa.table({**good, **columns}), path)
    return path


def story(path: Path, *, rows: int | None = None, from_date: date | None = None) -> CardFile:
    return CardFile(path, rows=rows, from_date=from_date, seed=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2018-04-01 09:00:00,7,3,,0,0", "TX_AMOUNT of line 3 is empty"),
        ("2018-04-01 09:00:00,7,3,NaN,0,0", "TX_AMOUNT of line 3, NaN, is not an amount"),
        ("2018-04-01 09:00:00,7,3,-inf,0,0", "TX_AMOUNT of line 3, -inf, is not an amount"),
        ("2018-04-01 09:00:00,7,3,a lot,0,0", "TX_AMOUNT of line 3 is 'a lot', not an amount such as 57.16"),
        (",7,3,5.00,0,0", "TX_DATETIME of line 3 is empty"),
        ("yesterday,7,3,5.00,0,0", "TX_DATETIME of line 3 is 'yesterday', not a time such as 2018-04-01 00:00:31"),
        ("1018-04-01 09:00:00,7,3,5.00,0,0", "TX_DATETIME of line 3, 1018-04-01 09:00:00, is not within the years"),
        ("2018-04-01 09:00:00,,3,5.00,0,0", "CUSTOMER_ID of line 3 is empty"),
        ("2018-04-01 09:00:00,  ,3,5.00,0,0", "CUSTOMER_ID of line 3 is empty"),
        ('2018-04-01 09:00:00,7,"",5.00,0,0', "TERMINAL_ID of line 3 is empty"),
        ("2018-04-01 09:00:00,7,3,5.00,maybe,0", "TX_FRAUD of line 3 is 'maybe', not 1, 0 or empty"),
        ("2018-04-01 09:00:00,7,3,5.00,2,0", "TX_FRAUD of line 3, 2, is not 1, 0 or empty"),
        ("2018-04-01 09:00:00,7,3,5.00,1,1.5", "TX_FRAUD_SCENARIO of line 3 is '1.5', not a whole number or empty"),
        ("2018-04-01 09:00:00,7,3,5.00,1", "Row #3: Expected 6 columns, got 5"),
    ],
)
def test_what_is_wrong_with_a_text_is_told_with_column_and_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(WrongFile, match=r"cards\.csv") as caught:
        story(csv(tmp_path, GOOD, line, GOOD))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("TX_AMOUNT", [12.5, None], "TX_AMOUNT of row 2 is empty"),
        ("TX_AMOUNT", [12.5, NAN], "TX_AMOUNT of row 2 is empty"),
        ("TX_AMOUNT", [12.5, INFINITE], "TX_AMOUNT of row 2, inf, is not an amount"),
        ("TX_AMOUNT", ["12.5", "x"], "TX_AMOUNT of row 2 is 'x', not an amount such as 57.16"),
        ("TX_DATETIME", [datetime(2018, 4, 1), None], "TX_DATETIME of row 2 is empty"),
        ("TX_DATETIME", [None, None], "TX_DATETIME of row 1 is empty"),
        ("TX_DATETIME", ["2018-04-01", "x"], "TX_DATETIME of row 2 is 'x', not a time such as 2018-04-01 00:00:31"),
        ("TX_DATETIME", [1522540831, 1522540832], "TX_DATETIME must hold times, not int64"),
        ("CUSTOMER_ID", [7, None], "CUSTOMER_ID of row 2 is empty"),
        ("CUSTOMER_ID", [7.0, NAN], "CUSTOMER_ID of row 2 is empty"),
        ("CUSTOMER_ID", [[7], [8]], "CUSTOMER_ID of row 1 is '[7]', not something that tells who it is"),
        ("TERMINAL_ID", ["a", ""], "TERMINAL_ID of row 2 is empty"),
        ("TERMINAL_ID", ["a", None], "TERMINAL_ID of row 2 is empty"),
    ],
)
def test_what_is_wrong_with_parquet_is_told_with_column_and_row(
    tmp_path: Path, column: str, values: list[Any], message: str
) -> None:
    with pytest.raises(WrongFile, match=r"cards\.parquet") as caught:
        story(parquet(tmp_path, **{column: values}))
    assert message in str(caught.value)


def test_the_first_of_many_rows_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    lines = [GOOD] * 3_000
    lines[1_700] = lines[2_900] = GOOD.replace("12.50", "much")
    with pytest.raises(WrongFile, match="TX_AMOUNT of line 1,702 is 'much'"):
        story(csv(tmp_path, *lines))


def test_a_file_that_is_no_table_of_transactions_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match="there is no file"):
        story(tmp_path / "missing.csv")
    with pytest.raises(WrongFile, match="lacks the columns TERMINAL_ID, TX_AMOUNT; it has TX_DATETIME, CUSTOMER_ID"):
        story(csv(tmp_path, header="TX_DATETIME,CUSTOMER_ID"))
    with pytest.raises(WrongFile, match="has more than one column TX_AMOUNT"):
        story(csv(tmp_path, f"{GOOD},5", header=f"{HEADER},TX_AMOUNT"))
    with pytest.raises(WrongFile, match="holds no transactions"):
        story(csv(tmp_path))
    with pytest.raises(WrongFile, match="holds no transactions from 2019-01-01 on"):
        story(csv(tmp_path, GOOD), from_date=date(2019, 1, 1))
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(WrongFile, match=r"lacks the columns .* it has none"):
        story(empty)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"PK\x03\x04\x00\x00,\xff")
    with pytest.raises(WrongFile, match=r"lacks the columns|can't be read as CSV"):
        story(binary)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing that follows from it PAR1")
    with pytest.raises(WrongFile, match="can't be read as parquet"):
        story(broken)


def test_what_payments_will_refuse_is_ordered_and_brings_nobody_money(tmp_path: Path) -> None:
    amounts = ("0", "-5", "1e300", "20")
    cards = story(csv(tmp_path, *(f"2018-04-01 08:00:00,{n},3,{amount},," for n, amount in enumerate(amounts))))
    orders = list(cards.orders())
    assert [order.amount[:5] for order in orders] == ["0.00", "-5.00", "10000", "20.00"]
    assert [order.label for order in orders] == [None] * 4
    assert [party.funds_minor for party in cards.parties()] == [1, 10_001, 10_001, 12_200, 0]


def test_nobody_gets_more_money_than_can_be_moved_at_once(tmp_path: Path) -> None:
    line = f"2018-04-01 08:00:00,1,3,{AMOUNT_MINOR_MAX // 100},,"
    cards = story(csv(tmp_path, GOOD, line, line))
    assert max(party.funds_minor for party in cards.parties()) == AMOUNT_MINOR_MAX


@pytest.mark.parametrize(
    "written",
    [
        "2018-04-01 08:00:31",
        "2018-04-01T08:00:31Z",
        "2018-04-01 10:00:31+02:00",
        "2018-04-01 08:00:31.000000999",
    ],
)
def test_a_time_may_be_written_in_several_ways(tmp_path: Path, written: str) -> None:
    (order,) = story(csv(tmp_path, f"{written},7,3,5,,")).orders()
    assert order.instructed_at == datetime(2018, 4, 1, 8, 0, 31, tzinfo=UTC).isoformat()


def test_transactions_come_in_the_order_of_their_time_from_a_day_on(tmp_path: Path) -> None:
    days = [f"2018-04-0{day},{day},3,{day},," for day in (3, 1, 4, 2)]
    cards = story(csv(tmp_path, *days), rows=2, from_date=date(2018, 4, 2))
    assert [order.amount for order in cards.orders()] == ["2.00", "3.00"]
    assert cards.count() == 2


def test_parquet_and_text_tell_the_same_story(tmp_path: Path) -> None:
    times = [datetime(2018, 4, 1, 8), datetime(2018, 4, 2, 8), datetime(2018, 4, 3, 8)]
    labels: dict[str, list[Any]] = {"TX_FRAUD": [1.0, 0.0, NAN], "TX_FRAUD_SCENARIO": [2.0, 0.0, None]}
    columns: dict[str, list[Any]] = {
        "TX_DATETIME": times,
        "CUSTOMER_ID": [10, 9, 10],
        "TERMINAL_ID": [1, 1, 1],
        "TX_AMOUNT": [1.5, 2.5, 3.0],
    }
    one = story(parquet(tmp_path, **columns, **labels, OTHER=["a", "b", "c"]))
    lines = (
        "2018-04-01 08:00:00,10,1,1.5,1,2,a",
        "2018-04-02 08:00:00,9,1,2.5,0,0,b",
        "2018-04-03 08:00:00,10,1,3,,,c",
    )
    other = story(csv(tmp_path, *lines, header=f"{HEADER},OTHER"))
    assert list(one.orders()) == list(other.orders())
    assert one.parties() == other.parties()
    assert [(order.debtor, order.label, order.scenario) for order in one.orders()] == [
        (1, True, 2),
        (0, False, 0),
        (1, None, None),
    ]
