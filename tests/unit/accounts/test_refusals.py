"""Why requests are refused: one closed list, in one order of precedence, over all that can be asked."""

from collections.abc import Sequence
from enum import StrEnum

import pytest

from schemas.accounts.events import DeclineReason, PostRefusal, RefundRefusal
from services.accounts.domain.refusals import Obstacle, RefusalReason
from tests.unit.accounts import (
    books,
    test_conversions,
    test_customers,
    test_funds,
    test_holds,
    test_refunds,
    test_reversals,
    test_transfers,
)

REQUESTS: dict[str, list[RefusalReason]] = {
    "customers": [row[0] for row in test_customers.REFUSED],
    "fundings": [row[0] for row in test_transfers.FUNDINGS],
    "bookings": [row[0] for row in test_transfers.BOOKINGS],
    "conversions": [row[0] for row in test_conversions.CONVERSIONS],
    "reversals": [row[0] for row in test_reversals.REVERSALS],
    "placing": [row[0] for row in test_holds.NOT_PLACED],
    "posting": [row[0] for row in test_holds.NOT_POSTED],
    "voiding": [row[0] for row in test_holds.NOT_VOIDED],
}
OTHERS: dict[str, Sequence[StrEnum]] = {
    "obstacles": [row[0] for row in books.OBSTACLES],
    "declined": [row[0] for row in test_funds.DECLINED],
    "not posted": [row[0] for row in test_funds.REFUSED],
    "not refunded": [row[0] for row in test_refunds.REFUSED],
}


def test_no_reason_to_refuse_a_request_is_left_out() -> None:
    assert {reason for table in REQUESTS.values() for reason in table} == set(RefusalReason)


@pytest.mark.parametrize("table", [*REQUESTS.values(), *OTHERS.values()], ids=[*REQUESTS, *OTHERS])
def test_every_table_of_refusals_is_in_order_of_precedence(table: Sequence[StrEnum]) -> None:
    named = list(dict.fromkeys(table))
    assert named == [reason for reason in type(named[0]) if reason in named]


@pytest.mark.parametrize("answers", [RefusalReason, DeclineReason])
def test_every_obstacle_is_named_by_the_same_word_and_in_the_same_order_in_every_answer(
    answers: type[StrEnum],
) -> None:
    words = [str(obstacle) for obstacle in Obstacle]
    assert [str(reason) for reason in answers if str(reason) in words] == words


@pytest.mark.parametrize("answers", [PostRefusal, RefundRefusal])
def test_an_answer_that_tells_of_some_obstacles_only_tells_no_others(answers: type[StrEnum]) -> None:
    words = {str(obstacle) for obstacle in Obstacle}
    own = {"unknown", "nothing_held", "payment_not_posted", "amount_exceeds_posted"}
    assert {str(reason) for reason in answers} - own <= words


def test_obstacles_are_all_tried() -> None:
    assert {row[0] for row in books.OBSTACLES} == set(Obstacle)
