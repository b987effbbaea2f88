"""Files of transactions: whatever is in them is read as it was meant, or refused with the rows that are to blame."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from schemas.fraud.events import Label
from schemas.payments.events import Channel, PaymentPersonalData
from services.fraud.laboratory import transactions
from services.fraud.laboratory.transactions import AMOUNT_MINOR_MAX, FileFault, Transactions, read, write

HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT"
FIRST = "0,2018-04-01 00:00:31,596,3156,57.16"
SECOND = "1,2018-04-01 00:02:10,4961,3412,81.51"
AN_AMOUNT = "an amount from 0 to 9,007,199,254,740,992 minor units"
AT = datetime(2018, 4, 1, 0, 0, 31, tzinfo=UTC)


def of_csv(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Transactions:
    path = folder / "given.csv"
    path.write_bytes("\n".join((header, *lines, "")).encode(encoding))
    return read(path)


def of_parquet(folder: Path, **columns: Any) -> Transactions:
    """Two rows, with these columns instead of or besides the usual ones; without those that are None."""
    usual = {
        "TRANSACTION_ID": [0, 1],
        "TX_DATETIME": [AT, AT + timedelta(seconds=99)],
        "CUSTOMER_ID": [596, 4961],
        "TERMINAL_ID": [3156, 3412],
        "TX_AMOUNT": [57.16, 81.51],
    }
    given = {name: values for name, values in (usual | columns).items() if values is not None}
    path = folder / "given.parquet"
    parquet.write_table(pa.table(given), path)
    return read(path)


def fault(folder: Path, *lines: str, header: str = HEADER) -> str:
    with pytest.raises(FileFault) as found:
        of_csv(folder, *lines, header=header)
    return str(found.value)


def parquet_fault(folder: Path, **columns: Any) -> str:
    with pytest.raises(FileFault) as found:
        of_parquet(folder, **columns)
    return str(found.value)


# What is read


def test_rows_are_payments(tmp_path: Path) -> None:
    one, other = of_csv(tmp_path, FIRST, SECOND).payments()
    assert (one.payment_id, other.payment_id, one.label) == ("0", "1", None)
    order = one.order
    assert (order.debtor_account_id, order.creditor_account_id) == ("customer 596", "terminal 3156")
    assert (order.amount_minor, order.currency, order.channel) == (57_16, "EUR", Channel.CARD)
    assert (order.instructed_at, order.device_id, order.ip_country) == (AT, None, None)


def test_a_parquet_file_and_a_csv_file_of_the_same_rows_are_the_same_payments(tmp_path: Path) -> None:
    assert list(of_csv(tmp_path, FIRST, SECOND).payments()) == list(of_parquet(tmp_path).payments())


def test_all_that_may_be_given_besides_is_taken_and_empty_cells_are_what_is_usual(tmp_path: Path) -> None:
    more = "CURRENCY,CHANNEL,DEVICE_ID,IP_COUNTRY,CUSTOMER_COUNTRY,TERMINAL_COUNTRY,TX_FRAUD,NOTE"
    given = of_csv(tmp_path, f"{FIRST},JPY,web,77,NA,DE,FR,1,x", f"{SECOND},,,,,,,,", header=f"{HEADER},{more}")
    one, other = given.payments()
    assert (one.order.currency, one.order.amount_minor, one.order.channel) == ("JPY", 57, Channel.WEB)
    assert (one.order.device_id, one.order.ip_country, one.label) == ("77", "NA", Label.FRAUD)
    assert isinstance(one.order.personal, PaymentPersonalData)
    assert (one.order.personal.debtor.country, one.order.personal.creditor.country) == ("DE", "FR")
    assert (other.order.currency, other.order.amount_minor, other.order.channel) == ("EUR", 81_51, Channel.CARD)
    assert (other.order.device_id, other.order.ip_country, other.label) == (None, None, None)
    assert isinstance(other.order.personal, PaymentPersonalData)
    assert (other.order.personal.debtor.country, other.order.personal.creditor.country) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "2018-04-01 00:00:31",
        "2018-04-01T00:00:31",
        "2018-04-01T00:00:31Z",
        "2018-04-01T02:00:31+02:00",
        "2018-03-31 20:00:31.000000-04:00",
        "2018-04-01 00:00:31.000000",
    ],
)
def test_times_are_iso_8601_and_utc_where_they_name_no_offset(tmp_path: Path, text: str) -> None:
    lines = [f"0,{text},1,2,3.00", "1,2018-04-01 00:00:31,1,2,3.00"]
    for given in (lines, lines[:1]):
        payments = of_csv(tmp_path, *given).payments()
        assert [payment.order.instructed_at for payment in payments] == [AT] * len(given)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([AT, AT], pa.timestamp("us", "UTC")),
        pa.array([AT, AT], pa.timestamp("ns", "UTC")),
        pa.array([AT, AT], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([AT.replace(tzinfo=None)] * 2, pa.timestamp("s")),
        pa.array(["2018-04-01 00:00:31"] * 2),
        pa.array(["2018-04-01 00:00:31"] * 2, pa.large_string()),
        pa.array(["2018-04-01 00:00:31"] * 2).dictionary_encode(),
        pa.array(["2018-04-01 00:00:31", "2018-04-01T02:00:31+02:00"]),
        pa.array([1_522_540_831_000_000_999] * 2, pa.timestamp("ns")),
    ],
    ids=str,
)
def test_times_of_parquet_files_may_be_kept_in_many_ways(tmp_path: Path, times: Any) -> None:
    payments = of_parquet(tmp_path, TX_DATETIME=times).payments()
    assert [payment.order.instructed_at for payment in payments] == [AT, AT]


def test_a_day_is_its_midnight(tmp_path: Path) -> None:
    midnight = datetime(2018, 4, 1, tzinfo=UTC)
    (one,) = of_csv(tmp_path, "0,2018-04-01,1,2,3").payments()
    (other, _) = of_parquet(tmp_path, TX_DATETIME=pa.array([date(2018, 4, 1)] * 2)).payments()
    assert one.order.instructed_at == other.order.instructed_at == midnight


@pytest.mark.parametrize(
    ("amounts", "minor"),
    [
        (pa.array([1, 2]), [1_00, 2_00]),
        (pa.array([0.0, 0.1 + 0.2]), [0, 30]),
        (pa.array(["1.5", " 2 "]), [1_50, 2_00]),
        (pa.array([Decimal("1.25"), Decimal("2.00")]), [1_25, 2_00]),
        (pa.array([AMOUNT_MINOR_MAX / 100, 1e-9]), [AMOUNT_MINOR_MAX, 0]),
    ],
)
def test_amounts_are_rounded_to_the_minor_unit(tmp_path: Path, amounts: Any, minor: list[int]) -> None:
    payments = of_parquet(tmp_path, TX_AMOUNT=amounts).payments()
    assert [payment.order.amount_minor for payment in payments] == minor


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([1, 0, None]),
        pa.array([True, False, None]),
        pa.array([1.0, 0.0, float("nan")]),
        pa.array(["1", "0", None]),
        pa.array([1, 0, None], pa.uint8()),
    ],
    ids=lambda labels: str(labels.type),
)
def test_labels_are_one_zero_or_not_known(tmp_path: Path, labels: Any) -> None:
    rows = {"TRANSACTION_ID": [1, 2, 3], "TX_DATETIME": [AT] * 3, "CUSTOMER_ID": [1] * 3, "TERMINAL_ID": [1] * 3}
    given = of_parquet(tmp_path, **rows, TX_AMOUNT=[1.0] * 3, TX_FRAUD=labels)
    assert [payment.label for payment in given.payments()] == [Label.FRAUD, Label.GENUINE, None]


@pytest.mark.parametrize("labels", [None, pa.nulls(2), pa.array([None, None], pa.float64())])
def test_where_nobody_knows_there_are_no_labels(tmp_path: Path, labels: Any) -> None:
    assert [payment.label for payment in of_parquet(tmp_path, TX_FRAUD=labels).payments()] == [None, None]


def test_what_comes_late_in_a_long_file_is_read_as_what_it_is(tmp_path: Path) -> None:
    """Whoever guesses types from the first megabyte takes amounts for whole numbers, and labels for nothing."""
    many = 40_000
    lines = [f"{n},2018-04-01 00:00:31,1,2,5,,{n}" for n in range(many)]
    lines.append("7a,2018-04-01T00:00:31.5Z,x,y,5.25,1,not a number")
    given = of_csv(tmp_path, *lines, header=f"{HEADER},TX_FRAUD,NOTE")
    *_, last = given.payments()
    assert (last.order.amount_minor, last.label, last.order.debtor_account_id) == (5_25, Label.FRAUD, "customer x")
    assert given.ids[many].as_py() == "7a"


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["10", "-7"], [10, -7]),
        (["10", "007"], ["10", "007"]),
        (["10", "a"], ["10", "a"]),
        (["10", "10.0"], ["10", "10.0"]),
        (["9223372036854775807", "9223372036854775808"], ["9223372036854775807", "9223372036854775808"]),
    ],
)
def test_ids_are_handed_back_as_they_came(tmp_path: Path, texts: list[str], ids: list[Any]) -> None:
    given = of_csv(tmp_path, *(f"{text},2018-04-01 00:00:31,1,2,3" for text in texts))
    assert given.ids.to_pylist() == ids


def test_customers_are_told_apart_as_they_are_written(tmp_path: Path) -> None:
    given = of_csv(tmp_path, "0,2018-04-01,007,1,1", "1,2018-04-01,7,1,1")
    assert [payment.order.debtor_account_id for payment in given.payments()] == ["customer 007", "customer 7"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(f"{HEADER}\r\n{FIRST}\r\n\r\n{SECOND}\r\n".encode("utf-8-sig"))
    assert [payment.payment_id for payment in read(path).payments()] == ["0", "1"]


# What is odd, and kept with a count


def test_unsorted_rows_are_sorted_by_time_and_counted(tmp_path: Path) -> None:
    lines = [f"{number},2018-04-0{day},1,2,3" for number, day in enumerate((3, 1, 3, 2))]
    given = of_csv(tmp_path, *lines)
    assert [payment.payment_id for payment in given.payments()] == ["1", "3", "0", "2"]
    assert given.unsorted == 2
    assert given.remarks == ["2 rows stood behind a later one: sorted by time"]


def test_repeated_ids_are_kept_and_counted(tmp_path: Path) -> None:
    given = of_csv(tmp_path, *(f"{id_},2018-04-01,1,2,3" for id_ in (5, 6, 5, 5)))
    assert [payment.payment_id for payment in given.payments()] == ["0", "1", "2", "3"]
    assert given.repeated_ids == 2
    assert given.remarks == ["2 transaction ids had come before: each row is taken for itself"]


def test_there_is_nothing_to_say_about_a_file_in_order(tmp_path: Path) -> None:
    assert of_csv(tmp_path, FIRST, SECOND).remarks == []


# What is refused


@pytest.mark.parametrize(
    ("lines", "header", "told"),
    [
        (
            [FIRST[2:]],
            HEADER[15:],
            "given.csv has no column TRANSACTION_ID; it has TX_DATETIME, CUSTOMER_ID, TERMINAL_ID,",
        ),
        (
            ["0;1"],
            HEADER.replace(",", ";"),
            f"given.csv has no column {HEADER.replace(',', ', ')}; it has {HEADER[:14]};",
        ),
        ([f"{FIRST},1"], f"{HEADER},TX_AMOUNT", "given.csv has more than one column TX_AMOUNT"),
        ([], HEADER, "given.csv has no rows"),
        (
            [FIRST, "7,x", SECOND, f"{SECOND},8"],
            HEADER,
            "the rows are not as long as the header in 2 rows (row 2: '7,x'; row 4: ",
        ),
        (
            [FIRST, SECOND.replace("2018-04-01 00:02:10", "yesterday")],
            HEADER,
            "TX_DATETIME is not a time in 1 row (row 2: 'yesterday')",
        ),
        ([SECOND.replace("2018-04-01 00:02:10", "")], HEADER, "TX_DATETIME is not given in 1 row (row 1: None)"),
        (
            [SECOND.replace("2018-04-01", "2018-02-30")],
            HEADER,
            "TX_DATETIME is not a time in 1 row (row 1: '2018-02-30 ",
        ),
        (
            [SECOND.replace("2018", "2200")],
            HEADER,
            "TX_DATETIME is not a time from 1900 to 2199 in 1 row (row 1: '2200-",
        ),
        (
            [SECOND.replace("2018", "0001")],
            HEADER,
            "TX_DATETIME is not a time from 1900 to 2199 in 1 row (row 1: '0001-",
        ),
        ([SECOND.replace("4961", "")], HEADER, "CUSTOMER_ID is not given in 1 row (row 1: None)"),
        ([SECOND.replace("3412", "")], HEADER, "TERMINAL_ID is not given in 1 row (row 1: None)"),
        ([SECOND[1:]], HEADER, "TRANSACTION_ID is not given in 1 row (row 1: None)"),
        ([FIRST, SECOND.replace("81.51", "-0.01")], HEADER, f"TX_AMOUNT is not {AN_AMOUNT} in 1 row (row 2: '-0.01')"),
        *[
            ([SECOND.replace("81.51", bad)], HEADER, f"minor units in 1 row (row 1: '{bad}')")
            for bad in ("nan", "inf", "1e99", "12x", "90071992547410.5")
        ],
        ([SECOND.replace("81.51", "")], HEADER, "TX_AMOUNT is not given in 1 row (row 1: None)"),
        ([f"{FIRST},2", f"{SECOND},yes"], f"{HEADER},TX_FRAUD", "TX_FRAUD is not 0 or 1 in 1 row (row 2: 'yes')"),
        (
            [f"{FIRST},2", f"{SECOND},0.5"],
            f"{HEADER},TX_FRAUD",
            "TX_FRAUD is not 0 or 1 in 2 rows (row 1: '2'; row 2: '0.5')",
        ),
        ([f"{FIRST},EUR", f"{SECOND},eur"], f"{HEADER},CURRENCY", "CURRENCY is not a currency in 1 row (row 2: 'eur')"),
        ([f"{FIRST},pigeon"], f"{HEADER},CHANNEL", "CHANNEL is not a channel in 1 row (row 1: 'pigeon')"),
    ],
)
def test_a_file_that_cant_be_read_as_it_was_meant_is_refused_with_its_rows(
    tmp_path: Path, lines: list[str], header: str, told: str
) -> None:
    assert told in fault(tmp_path, *lines, header=header)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"TX_AMOUNT": None, "CUSTOMER_ID": None},
            "given.parquet has no column CUSTOMER_ID, TX_AMOUNT; it has TRANSACTION_ID,",
        ),
        ({"TX_AMOUNT": [[1.0], [2.0]]}, f"TX_AMOUNT is not {AN_AMOUNT}, but list<"),
        ({"TX_AMOUNT": [True, False]}, "minor units, but bool"),
        ({"TX_AMOUNT": [1.0, None]}, "TX_AMOUNT is not given in 1 row (row 2: None)"),
        ({"TX_AMOUNT": [float("nan"), -1.0]}, "TX_AMOUNT is not given in 1 row (row 1: nan)"),
        ({"TX_AMOUNT": [2**62, -1]}, "minor units in 2 rows (row 1: 4611686018427387904; row 2: -1)"),
        ({"TX_DATETIME": [20180401, 20180402]}, "TX_DATETIME is not a time, but int64"),
        ({"TX_DATETIME": pa.array([AT, None])}, "TX_DATETIME is not given in 1 row (row 2: None)"),
        ({"TX_DATETIME": pa.array([0, 2**60], pa.timestamp("ms"))}, "in 1 row (row 2: 1152921504606846976)"),
        (
            {"TX_DATETIME": pa.array([0, 2**62], pa.timestamp("us"))},
            "TX_DATETIME is not a time from 1900 to 2199 in 1 row (row 2: ",
        ),
        ({"CUSTOMER_ID": [1.0, float("nan")]}, "CUSTOMER_ID is not given in 1 row (row 2: nan)"),
        ({"CUSTOMER_ID": [b"\xff", b"a"]}, "CUSTOMER_ID is not a text, but binary"),
        ({"TERMINAL_ID": ["", "a"]}, "TERMINAL_ID is not given in 1 row (row 1: '')"),
        ({"DEVICE_ID": [["a"], ["b"]]}, "DEVICE_ID is not a text, but list<"),
        ({"TX_FRAUD": ["x", "y"]}, "TX_FRAUD is not 0 or 1 in 2 rows (row 1: 'x'; row 2: 'y')"),
        ({"TX_FRAUD": [AT, AT]}, "TX_FRAUD is not 0 or 1, but timestamp"),
    ],
)
def test_a_parquet_file_of_wrong_types_is_refused_too(tmp_path: Path, columns: dict[str, Any], told: str) -> None:
    assert told in parquet_fault(tmp_path, **columns)


def test_of_many_bad_rows_the_first_ten_are_told(tmp_path: Path) -> None:
    told = fault(tmp_path, *(f"{n},2018-04-01,1,2,{'x' * 99}" for n in range(1_234)))
    assert "in 1,234 rows (row 1: 'xxx" in told and told.endswith("…; and 1,224 more)")
    assert len(told) < 1_000


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("given.csv", b"", "given.csv can't be read: "),
        ("given.parquet", b"", "given.parquet can't be read: "),
        ("given.parquet", b"PAR1 and no more", "given.parquet can't be read: "),
        ("given.csv", f"{HEADER}\n0,2018-04-01,\xff,2,3\n".encode("latin-1"), "given.csv can't be read: "),
        ("given.txt", f"{HEADER}\n{FIRST}\n".encode(), "given.txt is neither .parquet nor .csv"),
        ("given", b"", "given is neither .parquet nor .csv"),
        ("given.parquet", f"{HEADER}\n{FIRST}\n".encode(), "given.parquet can't be read: "),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFault) as found:
        read(tmp_path / name)
    assert told in str(found.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FileFault, match=f"there is no file {path}"):
            read(path)


# What is written


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores{suffix}"
    table = pa.table({"TRANSACTION_ID": [7, 8], "SCORE": [0.25, 1 / 3]})
    write(path, table)
    assert (csv.read_csv(path) if suffix == ".csv" else parquet.read_table(path)).equals(table)


@pytest.mark.parametrize(
    ("path", "told"), [("scores.txt", "scores.txt is neither"), ("no/folder/scores.csv", "there is no folder")]
)
def test_where_nothing_can_be_written_is_told_before_a_long_run(tmp_path: Path, path: str, told: str) -> None:
    with pytest.raises(FileFault, match=told):
        transactions.require_writable(tmp_path / path)
    with pytest.raises(FileFault, match=told):
        write(tmp_path / path, pa.table({"SCORE": [0.5]}))
