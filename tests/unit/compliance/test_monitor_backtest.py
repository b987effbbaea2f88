"""A run over history: a file through the live functions, with what it would have raised, written as files."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from libs.common import ids
from libs.common.record import replace
from libs.common.rough import dollar_cents
from schemas.accounts.events import CustomerKind
from services.compliance.backtest import BacktestFault, read, run_backtest
from services.compliance.defaults import shipped_versions
from services.compliance.exporting import COLUMNS, row_of
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.movements import Movement, Profile, micros_of
from services.compliance.monitoring.outsiders import Outsider, Outsiders
from services.compliance.monitoring.parameters import ParametersFault, Scenario
from services.compliance.monitoring.standards import Standards

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


ELSEWHERE = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,CHANNEL,TERMINAL_COUNTRY,TERMINAL_ELSEWHERE\n"


def test_who_is_elsewhere_is_not_watched_and_may_have_several_countries(tmp_path: Path) -> None:
    rows = "a,2026-01-07,ann,x,5,unknown,CH KP,true\nb,2026-01-08,y,ann,5,unknown,,\n"
    first, second = read(written(tmp_path, rows, ELSEWHERE)).movements
    assert first.customer_ids == ("ann",)
    assert first.outsiders.creditor == Outsider(party_id="x", countries=("CH", "KP"))
    assert second.customer_ids == ("y", "ann")
    counts = run_backtest(tmp_path / "moves.csv", tmp_path / "out", None)
    assert counts["high_risk_country"] == 1


def test_a_way_that_ends_elsewhere_is_no_cycle(tmp_path: Path) -> None:
    rows = "a,2026-01-07,x,ann,5000,unknown,,\nb,2026-01-08,ann,ben,4900,unknown,,\n"
    back = "c,2026-01-09,ben,x,4800,unknown,{},{}\n"
    counts = run_backtest(written(tmp_path, rows + back.format("", ""), ELSEWHERE), tmp_path / "out", None)
    assert counts["cycle"] == 1
    counts = run_backtest(written(tmp_path, rows + back.format("CH", "true"), ELSEWHERE), tmp_path / "out", None)
    assert counts["cycle"] == 0


def test_a_movement_with_an_id_of_its_own_counts_once(tmp_path: Path) -> None:
    own = ids.new()
    rows = "".join(f"{name},2026-01-07,ann,ben,5,unknown,,\n" for name in (own, own, "x", "x", f"{0:032x}"))
    file = read(written(tmp_path, rows, ELSEWHERE))
    assert [one.payment_id == own for one in file.movements] == [True, False, False, False]


def test_what_is_exported_is_read_as_the_same_movement(tmp_path: Path) -> None:
    ann, at = ids.new(), datetime(2026, 1, 7, 15, 0, 0, 7, tzinfo=UTC)
    outsider = Outsider(party_id=ids.new(), countries=("CH", "KP"))
    movements = [
        Movement(
            payment_id=ids.new(),
            debtor_customer_id=ann,
            creditor_customer_id=outsider.party_id,
            amount_minor=amount,
            currency=currency,
            cents=dollar_cents(amount, currency),
            is_cash=currency == "USD",
            at_micros=micros_of(at) + n,
            outsiders=Outsiders(creditor=outsider),
        )
        for n, (amount, currency) in enumerate(((1, "USD"), (12_345, "JPY"), (999_999_999_999_999, "EUR")))
    ]
    subject = Subject(name="", country="KP")
    profile = Profile(customer_id=ann, kind=CustomerKind.PERSON, subject=subject, registered_at=at)
    with (tmp_path / "moves.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *(row_of(movement, {ann: profile}) for movement in movements)])
    found = read(tmp_path / "moves.csv")
    assert (found.movements, found.known) == (movements, {ann: profile})


def test_what_is_in_force_is_begun_with(tmp_path: Path) -> None:
    (cash,) = [version for version in shipped_versions() if version.scenario is Scenario.CASH_REPORT]
    off = replace(cash, parameters=replace(cash.parameters, is_on=False))
    in_force = Standards(shipped_versions(), CountryLists(())).with_others([off])
    counts = run_backtest(written(tmp_path), tmp_path / "out", None, in_force)
    # Nor are there any countries on a list.
    assert (counts["cash_report"], counts["high_risk_country"], counts["cycle"]) == (0, 0, 1)
    trial = tmp_path / "trial.toml"
    trial.write_text("[cash_report]\nabove_cents = 7_000_00\n")
    counts = run_backtest(written(tmp_path), tmp_path / "out", trial, in_force)
    assert (counts["cash_report"], counts["high_risk_country"]) == (2, 0)


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ("a,2026-01-07,x,y,-1,USD,web,,\n", HEADER, "row 1"),
        (ROWS + "g,yesterday,x,y,1,USD,web,,\n", HEADER, "row 7"),
        ("a,2026-01-07,x,y,1,XYZ,web,,\n", HEADER, "row 1"),
        ("a,2026-01-07,x,y,1,USD,pigeon,,\n", HEADER, "row 1"),
        ("a,2026-01-07,x,y,1,USD,web,perhaps,\n", HEADER, "row 1"),
        ("", HEADER, "no rows"),
        ("a,2026-01-07,x,y,1,web,CH,perhaps\n", ELSEWHERE, "row 1"),
        ("a,b\n", "TRANSACTION_ID,TX_DATETIME\n", "no column CUSTOMER_ID"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_row(tmp_path: Path, rows: str, header: str, words: str) -> None:
    with pytest.raises(BacktestFault, match=words):
        read(written(tmp_path, rows, header))
