"""Whatever a payment hears, in whatever order: what must never be."""

from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.common.inbox import Outcome
from schemas.payments.events import (
    PaymentApproved,
    PaymentAuthorised,
    PaymentBlocked,
    PaymentCancelled,
    PaymentRejected,
    PaymentReleaseRequested,
    PaymentSettled,
    RefundRejected,
    RefundSettled,
)
from services.payments.domain.payment import ENDS, Capture, Charge, PaymentState
from services.payments.domain.refund import RefundState
from tests.unit.payments.story import REFUND_WORDS, WORDS, Story

ENDINGS = (PaymentSettled, PaymentRejected, PaymentCancelled, PaymentBlocked)
MOVED = {"posted", "part-posted", "blocked", "refunded"}
ABOUT_A_REFUND = {"refunded", "not-refunded", "refund-wait"}
GIVEN_BACK = {PaymentState.REJECTED, PaymentState.CANCELLED}

words = st.lists(st.sampled_from(sorted({*WORDS, *REFUND_WORDS, "look", "wait"})), max_size=25)


def hear(story: Story, word: str) -> bool:
    """Whether the message could be applied. Waiting for what nobody waits for is nothing."""
    story.events = []
    if word == "wait" and story.payment.check_at is None:
        return True
    if word in ABOUT_A_REFUND and not story.state.refunds.values():
        return True
    if word == "refund-wait" and story.refund.check_at is None:
        return True
    error = story.fails_at(word)
    assert error is None or (word in MOVED and "that has ended" in str(error)), error
    return story.last.outcome is Outcome.APPLIED


@settings(max_examples=600)
@given(words, st.sampled_from(Capture))
@example(["clear", "wait", "wait", "block", "cancel", "held"], Capture.AUTOMATIC)
@example(["allow", "clear", "held", "debtor-frozen", "block", "debtor-frozen", "blocked"], Capture.AUTOMATIC)
@example(["allow", "clear", "held", "listed?", "capture-part", "approve", "part-posted"], Capture.MANUAL)
@example(
    [*["allow", "clear", "held", "posted", "refund-part", "refunded", "refund", "not-refunded", "refund"]],
    Capture.AUTOMATIC,
)
@example(["allow", "listed?", "held", "approve", "wait"], Capture.MANUAL)
@example(["allow", "clear", "held", "refund-wait"], Capture.AUTOMATIC)
def test_any_journey(said: list[str], capture: Capture) -> None:
    story, is_money_gone = Story(capture=capture), False
    for word in said:
        before = story.payment
        story.now += timedelta(seconds=1)
        is_applied = hear(story, word)
        after = story.payment
        is_money_gone |= is_applied and word in {"released", "nothing-held"}

        assert is_applied or after == before, "what can't be applied leaves no trace"
        assert not before.has_ended or after.state is before.state, "an end is final"

        ends = [event for event in story.all_events if isinstance(event, ENDINGS)]
        assert len(ends) == (1 if after.state in ENDS else 0), "one end, told once"

        if after.has_ended:
            assert (after.deadline_at, after.check_at, after.ended_at is None) == (None, None, False)
        else:
            assert after.deadline_at is not None and after.check_at is not None, "no state without a way out"
            assert after.check_at <= after.deadline_at, "and no look comes too late"

        if any(isinstance(event, PaymentApproved) for event in story.events):
            assert before.state in (PaymentState.INITIATED, PaymentState.SUSPENDED, PaymentState.AUTHORISED)
            assert (after.captured is None) is (capture is Capture.AUTOMATIC), "its client has said how much"
            assert None not in (after.assessment, after.screening, after.funds), "approved on three answers"
            assert after.is_funded and not after.is_listed

        assert before.captured in (None, after.captured), "what is captured stays so"
        assert after.state is not PaymentState.AUTHORISED or not after.is_listed
        assert sum(isinstance(event, PaymentAuthorised) for event in story.all_events) <= 1, "told once"
        for event in story.events:
            if isinstance(event, PaymentApproved):
                assert after.charge == Charge(amount_minor=event.amount_minor, fee_minor=event.fee_minor)
                assert 0 < event.amount_minor <= after.order.amount_minor
                assert 0 <= event.fee_minor <= after.order.fee_minor

        if after.state in GIVEN_BACK and before.state not in GIVEN_BACK and not is_money_gone:
            assert not (after.is_funded and after.is_listed), "listed money is never given back"

        given_back = [refund for refund in story.state.refunds.values() if refund.state is not RefundState.REJECTED]
        assert sum(refund.amount_minor for refund in given_back) == after.refunded_minor
        assert len(given_back) == after.refund_count - after.rejected_refund_count
        assert after.refunded_minor <= (after.settled.amount_minor if after.settled else 0)
        for refund in story.state.refunds.values():
            told = [event for event in story.all_events if isinstance(event, RefundSettled | RefundRejected)]
            its_ends = [event for event in told if event.refund_id == refund.refund_id]
            is_open = refund.state is RefundState.REQUESTED
            assert (len(its_ends), refund.check_at is None) == ((0, False) if is_open else (1, True))

        if word == "held" and before.state in GIVEN_BACK and before.funds is None:
            assert [type(event) for event in story.events] == [PaymentReleaseRequested]
