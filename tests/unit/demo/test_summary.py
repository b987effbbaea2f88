"""What a person reads at the end: how each kind came out, and only figures that there are."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from demo import summary
from demo.story import Kind
from schemas.fraud.events import FraudAssessed, FraudOutcome
from tests.unit.demo import runs
from tests.unit.demo.runs import payment


def shown(made: list[Any], *, changes: dict[str, Any] | None = None, **result: Any) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as capture:
        summary.show(console, runs.stock(made, changes=changes, **result), seconds=3)
    return capture.get()


def rows(output: str, *, beginning: str) -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line[:1] == "│"]
    return [row for row in cells if beginning in row[:2]]


def test_every_kind_has_its_mark_and_its_counts() -> None:
    made = [
        payment(1, Kind.GOOD, "settled"),
        payment(2, Kind.GOOD, "settled after review"),
        payment(3, Kind.LISTED, "settled"),
    ]
    output = shown(made)
    (good,), (listed,) = rows(output, beginning="good"), rows(output, beginning="listed name")
    assert good[:5] == ["✓", "good", "2", "2", "0"]
    assert listed[:5] == ["✗", "listed name", "1", "0", "1"]
    assert "2 of 3 payments became what was expected, 1 harmless one among them after review; 1 did not" in output
    assert "not all of it holds" in output


def test_figures_that_there_are_none_of_are_left_out() -> None:
    output = shown([payment(1, Kind.REAL, "refused", "not_positive")], first_settled_seconds=None)
    assert "journey p50" not in output
    assert "first payment settled" not in output
    assert "all of it holds" in output
    assert "journey p50" in shown([payment(1, Kind.REAL, "settled")])


def test_a_payment_that_is_lost_is_shown_among_the_ends() -> None:
    assert rows(shown([payment(1, Kind.REAL, "lost")]), beginning="lost") == [["lost", "–", "1"]]


def test_labels_without_a_scenario_stand_beside_what_fraud_decided() -> None:
    made = [payment(1, Kind.REAL, "settled", label=True), payment(2, Kind.REAL, "settled", label=False)]
    assessments = {ordered.payment_id: _assessed(ordered.payment_id) for ordered, _ in made}
    output = shown(made, changes={"assessments": assessments})
    assert rows(output, beginning="fraud") == [["fraud", "1", "0", "0"]]
    assert rows(output, beginning="genuine") == [["genuine", "1", "0", "0"]]


def _assessed(payment_id: str) -> FraudAssessed:
    return FraudAssessed(
        payment_id=payment_id,
        debtor_account_id="debtor",
        outcome=FraudOutcome.ALLOW,
        score=0.1,
        rules_version="1",
        assessed_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
