"""The demo, run as a newcomer would: it ends well only if everything it shows holds."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet

from demo.story import Kind
from tests.e2e.conftest import DemoRuns

PAYMENTS = 300
ROWS, CUSTOMERS, TERMINALS = 120, 12, 5
FRAUDS_EVERY = 10
SKIPPED, FROM = 30, "2018-07-01"
"""Rows that are older than the day from which on they count."""


def test_generated_payments_end_as_expected_and_the_summary_shows_what_was_promised(demo: DemoRuns) -> None:
    run = demo.run("--rows", str(PAYMENTS))
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    for part in (
        "payments by end and reason",
        "what was expected, and what happened",
        "every account is open, and has its money",
        "no payment became what it must not",
        "journey p50",
        "journey p95",
        "journey p99",
        "throughput",
        "events of this run by topic",
        "a payment settled:",
        "a payment blocked:",
        "the books balance",
        "every hold is resolved",
        "every payment accepted",
        "every refund",
        "trial balance",
        "all of it holds",
        "the analysts' desk",
    ):
        assert part in run.stdout, part
    assert "✗" not in run.stdout
    sentence = " ".join(run.stdout.split())
    assert f" of {PAYMENTS} payments became what was expected" in sentence
    assert "Became what must not be: none." in sentence
    assert _counted(run.stdout, "all") == [PAYMENTS]
    kinds = [_counted(run.stdout, f"✓ │ {kind}") for kind in Kind if kind is not Kind.REAL]
    assert [payments - expected - otherwise for payments, expected, otherwise in kinds] == [0] * len(kinds)
    assert sum(payments for payments, _, _ in kinds) == PAYMENTS


def test_a_file_of_card_transactions_is_streamed_with_its_labels_beside_the_decisions(
    demo: DemoRuns, tmp_path: Path
) -> None:
    path = tmp_path / "cards.parquet"
    _write_cards(path)
    run = demo.run("--input", str(path), "--from", FROM)
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    assert "card transactions of cards.parquet" in run.stdout
    assert _counted(run.stdout, "all") == [ROWS]
    assert sum(_counted(run.stdout, "fraud, scenario 2")) == ROWS // FRAUDS_EVERY
    # One amount is nothing: refused before anyone assessed it.
    assert sum(_counted(run.stdout, "genuine")) == ROWS - ROWS // FRAUDS_EVERY - 1
    assert _counted(run.stdout, "refused") == [1]
    assert "all of it holds" in run.stdout


def _write_cards(path: Path) -> None:
    """A fortnight of transactions, so that labels, which come a week late, are reported within the run."""
    chance, start = Random(3), datetime.fromisoformat(FROM) + timedelta(hours=8)
    numbers = range(-SKIPPED, ROWS)
    frauds = [number % FRAUDS_EVERY == 0 for number in numbers]
    columns = {
        "TX_DATETIME": [start + timedelta(hours=3 * number if number >= 0 else 24 * number) for number in numbers],
        "CUSTOMER_ID": [number % CUSTOMERS for number in numbers],
        "TERMINAL_ID": [number % TERMINALS for number in numbers],
        "TX_AMOUNT": [0.0 if number == 1 else round(chance.uniform(2, 90), 2) for number in numbers],
        "TX_FRAUD": [int(is_fraud) for is_fraud in frauds],
        "TX_FRAUD_SCENARIO": [2 * is_fraud for is_fraud in frauds],
    }
    pyarrow.parquet.write_table(pa.table(columns), path)


def _counted(output: str, label: str) -> list[int]:
    """The numbers of the table row that begins with a label."""
    row = next(line for line in output.splitlines() if line.startswith(f"│ {label} "))
    return [int(cell.strip().replace(",", "")) for cell in row.split("│") if cell.strip().replace(",", "").isdigit()]
