"""What payments no longer knows, and whether it may be ordered again: never what has moved, or may move yet."""

from datetime import UTC, datetime, timedelta

import pytest

from operate.forgotten import Again, look, may_be_ordered_again
from operate.topics import Recorded
from schemas.payments.events import RefundRequested

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("became", "money", "again"),
    [
        ("settled", "posted", Again.NO),
        ("rejected", "released", Again.NO),
        ("cancelled", "held", Again.NO),
        ("blocked", "blocked", Again.NO),
        # Payments has not heard of what has moved: it did.
        ("approved", "posted", Again.NO),
        ("open", "posted", Again.NO),
        ("blocking", "blocked", Again.NO),
        ("approved", "held", Again.WAIT),
        ("blocking", "held", Again.WAIT),
        ("open", "", Again.WAIT),
        ("open", "held", Again.YES),
        ("open", "declined", Again.YES),
        ("open", "refused", Again.YES),
        ("approved", "released", Again.YES),
    ],
)
def test_only_what_will_not_move_any_more_may_be_ordered_again(became: str, money: str, again: Again) -> None:
    assert may_be_ordered_again(became, money) is again


def recorded(subject: str, event_type: str, second: int) -> Recorded:
    return Recorded(
        topic="payments.refund.v1",
        partition=0,
        offset=second,
        event_id=f"{subject}/{event_type}",
        event_type=event_type,
        subject=subject,
        caused_at=AT + timedelta(seconds=second),
        value=b"",
        correlation_id="",
    )


def decode(event: Recorded) -> object:
    if event.subject == "junk":
        return None
    return RefundRequested(
        refund_id=event.subject,
        payment_id="p",
        debtor_account_id="d",
        creditor_account_id="c",
        amount_minor=100,
        currency="EUR",
        requested_at=event.caused_at,
    )


def test_those_that_payments_does_not_know_are_told_in_their_order_with_their_ends() -> None:
    events = [
        recorded("late", "RefundRequested", 9),
        recorded("junk", "RefundRequested", 3),
        recorded("known", "RefundRequested", 1),
        recorded("early", "RefundRequested", 2),
        recorded("early", "RefundSettled", 4),
        # Published twice, as a relay may.
        recorded("early", "RefundRequested", 2),
    ]
    found = list(look(events, {"known"}, {"early": "posted", "late": "refused"}, decode))
    assert [(one.id, one.became, one.money, one.order_again) for one in found] == [
        ("early", "settled", "posted", Again.NO),
        ("late", "open", "refused", Again.YES),
    ]
