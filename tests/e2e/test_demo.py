"""The demo, run as a newcomer would: it ends well only if everything it shows holds."""

import csv
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from tests.e2e.conftest import DemoRuns

PAYMENTS = 300
ROWS, CUSTOMERS, TERMINALS = 120, 12, 5
FRAUDS_EVERY = 10


def test_generated_payments_end_as_expected_and_the_summary_shows_what_was_promised(demo: DemoRuns) -> None:
    run = demo.run("--rows", str(PAYMENTS))
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    for part in (
        "payments by end and reason",
        "what was expected, and what happened",
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
    assert _counted(run.stdout, "all") == [PAYMENTS]


def test_a_file_of_card_transactions_is_streamed_with_its_labels_beside_the_decisions(
    demo: DemoRuns, tmp_path: Path
) -> None:
    path = tmp_path / "cards.csv"
    _write_cards(path)
    run = demo.run("--input", str(path))
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    assert "card transactions of cards.csv" in run.stdout
    assert _counted(run.stdout, "all") == [ROWS]
    assert sum(_counted(run.stdout, "fraud, scenario 2")) == ROWS // FRAUDS_EVERY
    # One amount is nothing: refused before anyone assessed it.
    assert sum(_counted(run.stdout, "genuine")) == ROWS - ROWS // FRAUDS_EVERY - 1
    assert _counted(run.stdout, "refused") == [1]
    assert "all of it holds" in run.stdout


def _write_cards(path: Path) -> None:
    """A fortnight of transactions, so that labels, which come a week late, are reported within the run."""
    chance, start = Random(3), datetime(2018, 7, 1, 8)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD", "TX_FRAUD_SCENARIO"])
        for number in range(ROWS):
            is_fraud = number % FRAUDS_EVERY == 0
            amount = 0 if number == 1 else round(chance.uniform(2, 90), 2)
            at = start + timedelta(hours=3 * number)
            rows.writerow(
                [at.isoformat(" "), number % CUSTOMERS, number % TERMINALS, amount, int(is_fraud), 2 * is_fraud]
            )


def _counted(output: str, label: str) -> list[int]:
    """The numbers of the table row that begins with a label."""
    row = next(line for line in output.splitlines() if line.startswith(f"│ {label} "))
    return [int(cell.strip().replace(",", "")) for cell in row.split("│") if cell.strip().replace(",", "").isdigit()]
