"""A run went well only if everyone could take part, every payment ended as it may, and everything agrees."""

from typing import Any

import pytest

from demo.story import Kind
from operate.nothing_lost import Finding
from tests.unit.demo import runs
from tests.unit.demo.runs import LOST, payment

GOOD = payment(1, Kind.GOOD, "settled")
LISTED = payment(2, Kind.LISTED, "blocked", "compliance_block")
FROM_FILE = payment(3, Kind.REAL, "rejected", "funds_declined")
BALANCED = {"is_balanced": True, "open_holds": 0, "entries_by_currency": {"EUR": 4}}
DIFFERS = Finding(what="compared", faults={"missing": frozenset({"payment-0001"})}, counted="1")


def wrong(made: list[Any], *, changes: dict[str, Any] | None = None, **result: Any) -> list[tuple[str, str]]:
    """What does not hold; the run is well only if that is nothing."""
    stock = runs.stock(made, changes=changes, **result)
    found = [(check.what, check.detail) for check in stock.checks if not check.holds]
    assert stock.is_well is not bool(found)
    return found


def test_a_run_in_which_everything_holds_went_well() -> None:
    assert wrong([GOOD, LISTED, FROM_FILE]) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"books": {**BALANCED, "is_balanced": False}}, "the books balance: zero per asset, balances = entries"),
        ({"books": {**BALANCED, "open_holds": 1}}, "every hold is resolved"),
        ({"comparisons": (DIFFERS,)}, "compared"),
    ],
)
def test_books_holds_and_comparisons_have_to_hold(changes: dict[str, Any], what: str) -> None:
    assert [found for found, _ in wrong([GOOD], changes=changes)] == [what]


def test_an_account_that_could_not_be_opened_or_funded_counts() -> None:
    everyone = "every account is open, and has its money"
    assert wrong([GOOD], parties=3) == [(everyone, "2 of 3 opened, 1 of 1 funded")]
    assert wrong([GOOD], to_fund=2) == [(everyone, "2 of 2 opened, 1 of 2 funded")]


@pytest.mark.parametrize("kind", [Kind.REAL, Kind.GOOD])
def test_a_payment_that_was_taken_on_and_is_not_known_or_has_not_ended_counts(kind: Kind) -> None:
    ended = "every payment of this run was kept, and has ended"
    assert (ended, "1 lost, such as payment-0004") in wrong([GOOD, payment(4, kind, LOST)])
    assert (ended, "1 without an end, such as payment-0004") in wrong([GOOD, payment(4, kind, "approved")])
    assert (ended, "1 without an end, such as payment-0004") in wrong([GOOD, payment(4, kind, "suspended")])


def test_reviews_may_wait_for_people_where_they_are_left_to_them() -> None:
    left = {"may_wait": True, "books": {**BALANCED, "open_holds": 1}}
    assert wrong([GOOD, payment(4, Kind.SUSPICIOUS, "suspended")], changes=left) == []
    assert wrong([GOOD, payment(4, Kind.GOOD, "authorised")], changes=left) != []


def test_a_payment_that_became_what_it_must_not_counts() -> None:
    settled = payment(4, Kind.LISTED, "settled")
    found = [("no payment became what it must not", "1 listed name settled, such as payment-0004")]
    assert wrong([GOOD, settled]) == found
