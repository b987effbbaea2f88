"""A run over history: a file through the live functions, with what it would have raised, written as files."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from services.compliance.backtest import BacktestFault, read, run_backtest
from services.compliance.monitoring.parameters import ParametersFault

HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,CURRENCY,CHANNEL,IS_CASH,TERMINAL_COUNTRY\n"
ROWS = """a,2026-01-07T15:00:00,till,ann,6000,USD,branch,1,
c,2026-01-07T17:00:00+00:00,ann,kim,5,USD,web,,KP
b,2026-01-07T16:00:00Z,till,ann,4000.01,USD,branch,true,
d,2026-01-08T15:00:00,ann,ben,5000,USD,api,,
e,2026-01-09T15:00:00,ben,carl,4900,USD,api,,
f,2026-01-10T15:00:00,carl,ann,4800,USD,api,,
"""


def written(tmp_path: Path, rows: str = ROWS, header: str = HEADER) -> Path:
    path = tmp_path / "moves.csv"
    path.write_text(header + rows)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_alerts_and_how_many_each_scenario_raised(tmp_path: Path) -> None:
    counts = run_backtest(written(tmp_path), tmp_path / "out", None)
    assert {name: count for name, count in counts.items() if count} == {
        "movements": 6,
        "customers": 5,
        "customers_alerted": 3,
        "rapid_movement": 1,
        "cycle": 1,
        "high_risk_country": 1,
        "cash_report": 2,
    }
    alerts = table(tmp_path / "out" / "alerts.csv")
    told = {(alert["SCENARIO"], alert["CUSTOMER_ID"]): alert["TRANSACTION_IDS"] for alert in alerts}
    # Cash that the till pays out counts for the till, too.
    assert told == {
        ("cash_report", "till"): "a b",
        ("cash_report", "ann"): "a b",
        ("high_risk_country", "ann"): "c",
        ("rapid_movement", "ben"): "d e",
        ("cycle", "ann"): "d e f",
    }
    assert {row["NAME"]: int(row["COUNT"]) for row in table(tmp_path / "out" / "counts.csv")} == counts


def test_parameters_of_a_file_are_tried_beside_those_that_are_shipped(tmp_path: Path) -> None:
    trial = tmp_path / "trial.toml"
    trial.write_text("[cash_report]\nabove_cents = 20_000_00\n")
    counts = run_backtest(written(tmp_path), tmp_path / "out", trial)
    assert (counts["cash_report"], counts["high_risk_country"]) == (0, 1)


@pytest.mark.parametrize("text", ["[cash_report]\nabove = 1\n", "[nonsense]\n", "[[[", "[cash_report]\n"])
def test_a_file_that_is_no_set_of_parameters_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "trial.toml").write_text(text)
    with pytest.raises(ParametersFault):
        run_backtest(written(tmp_path), tmp_path / "out", tmp_path / "trial.toml")


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    rows = table(written(tmp_path))
    columns = {name: [row[name] or None for row in rows] for name in rows[0]}
    columns["TX_AMOUNT"] = [float(amount) for amount in columns["TX_AMOUNT"] if amount is not None]  # type: ignore[misc]
    parquet.write_table(pa.table(columns), tmp_path / "moves.parquet")
    assert read(tmp_path / "moves.parquet") == read(tmp_path / "moves.csv")


def test_where_a_card_pays_terminals_are_companies_with_names_of_their_own(tmp_path: Path) -> None:
    header = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT\n"
    (movement,) = read(written(tmp_path, "1,2026-01-07,5,5,10\n", header)).movements
    assert (movement.debtor_customer_id, movement.creditor_customer_id) == ("5", "terminal 5")


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ("a,2026-01-07,x,y,-1,USD,web,,\n", HEADER, "row 1"),
        (ROWS + "g,yesterday,x,y,1,USD,web,,\n", HEADER, "row 7"),
        ("a,2026-01-07,x,y,1,XYZ,web,,\n", HEADER, "row 1"),
        ("a,2026-01-07,x,y,1,USD,pigeon,,\n", HEADER, "row 1"),
        ("a,2026-01-07,x,y,1,USD,web,perhaps,\n", HEADER, "row 1"),
        ("", HEADER, "no rows"),
        ("a,b\n", "TRANSACTION_ID,TX_DATETIME\n", "no column CUSTOMER_ID"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_row(tmp_path: Path, rows: str, header: str, words: str) -> None:
    with pytest.raises(BacktestFault, match=words):
        read(written(tmp_path, rows, header))
