"""Money of settled payments is given back: never more than was settled, and each refund once."""

from datetime import timedelta

import pytest

from libs.common import ids
from libs.common.inbox import Outcome
from libs.common.record import replace
from schemas.accounts.events import RefundRefusal
from schemas.payments.events import (
    PublicReason,
    RefundAnswerOverdue,
    RefundRejected,
    RefundRequested,
    RefundSettled,
)
from services.payments.domain.payment import Capture, PaymentState
from services.payments.domain.refund import REFUNDS_MAX, REJECTED_MAX, REJECTED_MAX_FOR_STAFF, RefundState
from services.payments.domain.refunds import RefundDeadlinePassed, RequestRefund
from services.payments.domain.refusals import RefusalReason
from services.payments.queries import payment_view, refund_view
from tests.unit.payments.story import ASK, CLIENT, CREDITOR, DEBTOR, PART, PAYMENT, SUSPEND, TRANSFER, Story

SETTLED = "allow clear held posted"


def settled(words: str = "") -> Story:
    return Story().hears(f"{SETTLED} {words}")


def asking(
    amount: str | None = None, *, client_id: str | None = CLIENT, refund_id: str = ids.named("refund")
) -> RequestRefund:
    return RequestRefund(refund_id=refund_id, payment_id=PAYMENT, client_id=client_id, amount=amount)


def often(words: str, times: int) -> Story:
    """A settled payment of which the same has been asked so many times."""
    story = settled()
    for _ in range(times):
        for word in words.split():
            if word == "a-cent":
                story.decide(asking("0.01", refund_id=ids.new()))
            else:
                story.hears(word)
    return story


# Requested


@pytest.mark.parametrize(
    ("words", "amount_minor"), [("refund", 1234), ("refund-part", 200), ("refund-part refunded refund", 1034)]
)
def test_a_refund_gives_back_all_that_is_left_or_part_of_it(words: str, amount_minor: int) -> None:
    story = settled(words)
    (requested,) = story.events
    assert isinstance(requested, RefundRequested)
    assert (requested.debtor_account_id, requested.creditor_account_id) == (DEBTOR, CREDITOR)
    assert (requested.amount_minor, requested.currency) == (amount_minor, "EUR"), "nothing of the fee"
    assert (story.refund.state, story.refund.amount_minor) == (RefundState.REQUESTED, amount_minor)
    assert story.payment.steps[-1].what == "refund requested"
    assert story.payment.state is PaymentState.SETTLED


def test_of_a_captured_payment_no_more_is_given_back_than_was_captured() -> None:
    story = Story(capture=Capture.MANUAL).hears("allow clear held capture-part part-posted")
    story.decide(asking("5.01"))
    assert story.refusal == RefusalReason.AMOUNT_TOO_LARGE
    assert story.hears("refund").refund.amount_minor == PART.amount_minor


@pytest.mark.parametrize(
    ("reason", "story", "command"),
    [
        (RefusalReason.PAYMENT_UNKNOWN, Story(began=False), asking("a lot")),
        (RefusalReason.PAYMENT_UNKNOWN, Story(), asking("a lot", client_id="other")),
        (RefusalReason.PAYMENT_NOT_SETTLED, Story(), asking("a lot")),
        (RefusalReason.PAYMENT_NOT_SETTLED, Story().hears("allow clear held"), asking("a lot")),
        (RefusalReason.PAYMENT_NOT_SETTLED, Story().hears("declined"), asking("a lot")),
        (RefusalReason.PAYMENT_NOT_SETTLED, Story().hears("listed! held blocked"), asking("a lot")),
        (RefusalReason.PAYMENT_REFUNDED, settled("refund"), asking("a lot")),
        (RefusalReason.PAYMENT_REFUNDED, settled("refund-part refunded refund refunded"), asking("a lot")),
        (RefusalReason.TOO_MANY_REFUNDS, often("a-cent", REFUNDS_MAX), asking("a lot")),
        (RefusalReason.TOO_MANY_REFUNDS, often("a-cent refunded", REFUNDS_MAX), asking("a lot", client_id=None)),
        (RefusalReason.TOO_MANY_REFUNDS, often("refund not-refunded", REJECTED_MAX), asking("a lot")),
        (RefusalReason.AMOUNT_INVALID, settled(), asking("a lot")),
        (RefusalReason.AMOUNT_INVALID, settled(), asking("0")),
        (RefusalReason.AMOUNT_INVALID, settled(), asking("-2.00")),
        (RefusalReason.AMOUNT_INVALID, settled(), asking("0.001")),
        (RefusalReason.AMOUNT_TOO_LARGE, settled(), asking("12.35")),
        (RefusalReason.AMOUNT_TOO_LARGE, settled(), asking("9" * 20)),
        (RefusalReason.AMOUNT_TOO_LARGE, settled("refund-part"), asking("10.35")),
    ],
)
def test_a_refund_is_refused_for_the_first_reason_that_applies(
    reason: RefusalReason, story: Story, command: RequestRefund
) -> None:
    known = story.state.payments.get(PAYMENT)
    story.decide(command)
    assert story.refusal == reason
    assert story.state.payments.get(PAYMENT) == known
    assert command.refund_id not in story.state.refunds


def test_staff_may_refund_anyones_payment() -> None:
    story = settled()
    story.decide(asking("12.34", client_id=None))
    assert story.told == ["RefundRequested"]


def test_what_was_rejected_leaves_room_for_others() -> None:
    story = often("a-cent not-refunded", REJECTED_MAX - 1)
    for _ in range(REFUNDS_MAX):
        assert len(story.decide(asking("0.01", refund_id=ids.new()))) == 1
    story.decide(asking("0.01"))
    assert story.refusal == RefusalReason.TOO_MANY_REFUNDS


def test_staff_gives_back_what_its_client_has_tried_to_in_vain_up_to_a_bound_of_its_own() -> None:
    story = often("refund not-refunded", REJECTED_MAX)
    story.decide(asking(client_id=None))
    assert (story.refund.state, story.refund.amount_minor) == (RefundState.REQUESTED, 1234)
    story.hears("not-refunded")
    rejected = replace(story.payment, rejected_refund_count=REJECTED_MAX_FOR_STAFF)
    story.state.put(replace(rejected, refund_count=REJECTED_MAX_FOR_STAFF))
    story.decide(asking(client_id=None))
    assert story.refusal == RefusalReason.TOO_MANY_REFUNDS


# Its end


def test_a_refund_is_settled_once() -> None:
    story = settled("refund-part refunded")
    (told,) = story.events
    assert isinstance(told, RefundSettled)
    assert (told.amount_minor, told.transfer_id) == (200, TRANSFER)
    assert (story.refund.state, story.refund.transfer_id) == (RefundState.SETTLED, TRANSFER)
    assert (story.refund.ended_at, story.refund.check_at) == (story.now, None)
    assert story.payment.steps[-1].what == "refund settled"
    known = story.payment, story.refund
    assert (story.hears("refunded").told, (story.payment, story.refund)) == ([], known)
    assert (story.hears("not-refunded").told, (story.payment, story.refund)) == ([], known)


@pytest.mark.parametrize(
    ("reason", "public"),
    [
        (RefundRefusal.UNKNOWN, PublicReason.DECLINED),
        (RefundRefusal.PAYMENT_NOT_POSTED, PublicReason.DECLINED),
        (RefundRefusal.AMOUNT_EXCEEDS_POSTED, PublicReason.DECLINED),
        (RefundRefusal.CREDITOR_ACCOUNT_CLOSED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (RefundRefusal.CREDITOR_ACCOUNT_FROZEN, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (RefundRefusal.DEBTOR_ACCOUNT_CLOSED, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
        (RefundRefusal.DEBTOR_ACCOUNT_FROZEN, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
        (RefundRefusal.INSUFFICIENT_FUNDS, PublicReason.INSUFFICIENT_FUNDS),
        (RefundRefusal.CEILING_EXCEEDED, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
    ],
)
def test_a_refused_refund_is_rejected_in_a_public_word(reason: RefundRefusal, public: PublicReason) -> None:
    story = settled("refund-part")
    (rejected,) = story.decide(story.refund_refused(reason))
    assert isinstance(rejected, RefundRejected)
    assert (rejected.reason, story.refund.reason, story.refund.state) == (public, public, RefundState.REJECTED)
    assert (story.payment.steps[-1].what, story.payment.steps[-1].detail) == ("refund rejected", public)
    known = story.payment, story.refund
    assert (list(story.decide(story.refund_refused(reason))), (story.payment, story.refund)) == ([], known)


def test_no_refusal_to_refund_is_left_out() -> None:
    (table,) = test_a_refused_refund_is_rejected_in_a_public_word.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in table.args[1]} == set(RefundRefusal)


def test_what_was_not_given_back_may_be_requested_again() -> None:
    story = settled("refund not-refunded")
    assert story.payment.refunded_minor == 0
    assert story.hears("refund").refund.amount_minor == 1234


def test_money_that_is_given_back_for_a_rejected_refund_is_a_fault_that_someone_must_see() -> None:
    story = settled("refund not-refunded")
    known = story.payment
    story.decide(story.refund_posted())
    assert (story.last.outcome, story.payment) == (Outcome.DEAD, known)


def test_refunds_end_in_whatever_order_accounts_answers() -> None:
    story = settled("refund-part")
    first = story.refund_posted()
    story.hears("refund refunded")
    story.decide(first)
    assert [refund.state for refund in story.state.refunds.values()] == [RefundState.SETTLED] * 2


# What time does


def test_accounts_is_asked_again_and_again_until_it_answers() -> None:
    story = settled("refund-part")
    requested_at, ages = story.now, []
    for _ in range(4):
        (overdue,) = story.hears("refund-wait").events
        assert isinstance(overdue, RefundAnswerOverdue)
        assert (overdue.refund_id, overdue.amount_minor) == (story.refund.refund_id, 200)
        ages.append(story.now - requested_at)
    assert ages == [ASK, SUSPEND, SUSPEND + (SUSPEND - ASK), SUSPEND + 2 * (SUSPEND - ASK)]
    assert story.hears("refunded").refund.check_at is None


@pytest.mark.parametrize("shift", [timedelta(0), timedelta(seconds=1)])
def test_a_look_that_was_taken_or_is_early_decides_nothing(shift: timedelta) -> None:
    story = settled("refund")
    check_at = story.refund.check_at
    assert check_at is not None
    tick = RefundDeadlinePassed(refund_id=story.refund.refund_id, payment_id=PAYMENT, check_at=check_at)
    story.now = check_at - timedelta(seconds=1)
    assert story.decide(tick) == [], "early"
    story.now = check_at + shift
    assert len(story.decide(tick)) == 1
    assert story.decide(tick) == [], "taken"


def test_a_look_at_a_refund_that_does_not_exist_or_has_ended_is_nothing() -> None:
    story = settled("refund")
    tick = RefundDeadlinePassed(refund_id=story.refund.refund_id, payment_id=PAYMENT, check_at=story.now + ASK)
    story.hears("refunded")
    story.now += ASK
    assert story.decide(tick) == []
    assert Story().decide(tick) == []


# Seen


def test_a_refund_is_seen_with_its_payment() -> None:
    story = settled("refund-part refunded refund not-refunded")
    view = payment_view(story.payment, story.state.refunds.values(), is_staff=False, now=story.now)
    assert [(refund["amount"], refund["state"], refund["reason"]) for refund in view["refunds"]] == [
        ("2.00", "settled", None),
        ("10.34", "rejected", "insufficient_funds"),
    ]
    assert view["refunds"][0] == refund_view(story.state.refunds.values()[0], "EUR")
    assert [(step["what"], step["detail"]) for step in view["timeline"]][-4:] == [
        ("refund requested", "2.00"),
        ("refund settled", "2.00"),
        ("refund requested", "10.34"),
        ("refund rejected", "insufficient_funds"),
    ]


def test_events_of_a_refund_are_numbered_by_themselves() -> None:
    story, numbers = settled(), []
    for word in ["refund-part", "refund-wait", "refunded"]:
        story.hears(word)
        numbers += [(row.topic, row.headers["ce_subject"], int(row.headers["ce_sequence"])) for row in story.last.rows]
    assert numbers == [("payments.refund.v1", story.refund.refund_id, number) for number in (1, 2, 3)]
