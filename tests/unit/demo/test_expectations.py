"""What payments were made to become and what they became: how many of each kind, and what must never be."""

import pytest

from demo import expectations
from demo.expectations import EXPECTATIONS, Fulfilment
from demo.story import Kind
from tests.unit.demo import runs
from tests.unit.demo.runs import LOST, REFUSED

FRAUD_BLOCK = ("rejected", "fraud_block")
TIMED_OUT = ("rejected after review", "review_timed_out")
NO_FUNDS = ("rejected", "funds_declined")


def compare(kind: Kind, became: dict[str | tuple[str, str], int], *, may_wait: bool = False) -> Fulfilment:
    ordered, ends = runs.split(runs.payments(kind, became))
    (one,) = expectations.compare(ordered, ends, may_wait=may_wait)
    return one


@pytest.mark.parametrize(
    ("kind", "words"), [(kind, words) for kind, expected in EXPECTATIONS.items() for words in expected.ends]
)
def test_what_a_payment_was_made_to_become_is_as_expected(kind: Kind, words: str) -> None:
    one = compare(kind, {words: 2})
    assert (one.as_expected, one.otherwise, one.faults) == (2, 0, {})


@pytest.mark.parametrize(
    ("kind", "words", "reason"),
    [
        (Kind.GOOD, "blocked", "compliance_block"),
        (Kind.GOOD, *NO_FUNDS),
        (Kind.GOOD, "rejected after review", "compliance_review"),
        (Kind.GOOD, REFUSED, "debtor_account_unknown"),
        (Kind.GOOD, "cancelled", ""),
        (Kind.GOOD, "suspended", ""),
        (Kind.GOOD, "initiated", ""),
        (Kind.GOOD, LOST, ""),
        (Kind.SUSPICIOUS, "settled", ""),
        (Kind.SUSPICIOUS, "blocked", "compliance_block"),
        (Kind.LISTED, "settled", ""),
        (Kind.LISTED, "settled after review", ""),
        (Kind.LISTED, "rejected", "fraud_block"),
        (Kind.LISTED, "rejected after review", "reviewer_rejected"),
        (Kind.ALIKE, "rejected", "fraud_block"),
        (Kind.UNDERFUNDED, "settled", ""),
        (Kind.UNDERFUNDED, "settled after review", ""),
        (Kind.SHIPPED_IN_PART, "cancelled", ""),
        (Kind.RETURNED, "blocked", "reviewer_blocked"),
        (Kind.MALFORMED, "settled", ""),
        (Kind.MALFORMED, "rejected", "funds_declined"),
    ],
)
def test_one_that_became_what_none_may_is_a_fault_that_names_it(kind: Kind, words: str, reason: str) -> None:
    usual = EXPECTATIONS[kind].ends[0]
    one = compare(kind, {usual: 999, (words, reason): 1})
    assert (one.payments, one.as_expected, one.otherwise) == (1_000, 999, 1)
    said = f"{kind} {words} ({reason})" if reason else f"{kind} {words}"
    assert one.faults == {said: frozenset({"payment-0999"})}


def test_a_few_false_alarms_of_fraud_are_told_and_are_no_fault() -> None:
    one = compare(Kind.GOOD, {"settled": 989, "settled after review": 3, FRAUD_BLOCK: 4, TIMED_OUT: 4})
    assert (one.as_expected, one.otherwise, one.exceptions_max, one.faults) == (992, 8, 8, {})


def test_more_false_alarms_than_a_few_are_a_fault() -> None:
    one = compare(Kind.GOOD, {"settled": 991, FRAUD_BLOCK: 5, TIMED_OUT: 4})
    ((fault, ids),) = one.faults.items()
    assert len(ids) == 9
    assert fault == "good rejected (fraud_block), rejected after review (review_timed_out), where 8 may be"


@pytest.mark.parametrize(
    ("payments", "missed", "is_fault"), [(3, 2, False), (3, 3, True), (100, 4, False), (100, 5, True)]
)
def test_few_names_with_a_slip_may_be_missed(payments: int, missed: int, is_fault: bool) -> None:
    one = compare(Kind.ALIKE, {"settled after review": payments - missed, "settled": missed})
    assert one.otherwise == missed
    assert bool(one.faults) is is_fault


def test_what_waits_for_a_person_has_not_become_anything_yet() -> None:
    one = compare(Kind.SUSPICIOUS, {"rejected": 3, "suspended": 2}, may_wait=True)
    assert (one.payments, one.as_expected, one.waiting, one.otherwise, one.faults) == (5, 3, 2, 0, {})
    assert compare(Kind.SUSPICIOUS, {"rejected": 3, "suspended": 2}).faults


def test_nothing_is_expected_of_a_file() -> None:
    ordered, ends = runs.split(runs.payments(Kind.REAL, {"blocked": 2}))
    assert expectations.compare(ordered, ends, may_wait=False) == ()


def test_a_sentence_counts_what_became_what_it_was_made_to_become_and_what_did_not() -> None:
    good = compare(Kind.GOOD, {"settled": 995, "settled after review": 2, TIMED_OUT: 1})
    listed = compare(Kind.LISTED, {"blocked": 10, "settled after review": 2})
    suspicious = compare(Kind.SUSPICIOUS, {"settled after review": 5, "suspended": 1}, may_wait=True)
    assert expectations.in_words([good, suspicious]) == (
        "1,002 of 1,004 payments became what was expected, 2 harmless ones among them after review; "
        "1 did not: 1 good rejected after review (review_timed_out); waiting for a person: 1. "
        "Became what must not be: none."
    )
    assert expectations.in_words([listed]) == (
        "10 of 12 payments became what was expected; 2 did not: 2 listed name settled after review. "
        "Became what must not be: 2."
    )
