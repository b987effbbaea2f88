"""What time does to a payment: state × age → action, and no state without a way out."""

from datetime import timedelta

import pytest

from schemas.payments.events import Answer, InternalReason, PaymentAnswerOverdue, PaymentSuspended, PublicReason
from services.payments.domain.deadlines import Action, Deadline, deadlines, due_action, enter, next_deadline
from services.payments.domain.payment import ENDS, STEPS_MAX, PaymentState
from tests.unit.payments.story import ASK, CAPTURE, REVIEW, SETTINGS, START, SUSPEND, Story

POLICY = SETTINGS.policy


def test_the_table() -> None:
    assert deadlines(POLICY) == {
        PaymentState.INITIATED: (
            Deadline(after=ASK, action=Action.ASK_AGAIN),
            Deadline(after=SUSPEND, action=Action.SUSPEND),
        ),
        PaymentState.SUSPENDED: (
            Deadline(after=REVIEW / 2, action=Action.ASK_AGAIN),
            Deadline(after=REVIEW, action=Action.GIVE_UP),
        ),
        PaymentState.AUTHORISED: (Deadline(after=CAPTURE, action=Action.LAPSE),),
        PaymentState.APPROVED: (
            Deadline(after=ASK, action=Action.ASK_AGAIN),
            Deadline(after=SUSPEND, action=Action.ALERT),
        ),
        PaymentState.BLOCKING: (
            Deadline(after=ASK, action=Action.ASK_AGAIN),
            Deadline(after=SUSPEND, action=Action.ALERT),
        ),
    }


def test_every_state_before_the_ends_has_deadlines_and_no_end_has_one() -> None:
    assert set(deadlines(POLICY)) == set(PaymentState) - ENDS


@pytest.mark.parametrize("state", sorted(deadlines(POLICY)))
def test_the_rows_of_a_state_are_in_order_and_the_last_repeats_at_a_distance(state: PaymentState) -> None:
    rows = deadlines(POLICY)[state]
    ages = [row.after for row in rows]
    assert ages == sorted(set(ages))
    is_final = rows[-1].action is Action.LAPSE
    assert len(ages) >= 2 or is_final, "the distance of the two last ages is that of the repetitions"


@pytest.mark.parametrize(
    ("words", "awaited"),
    [
        ("", (Answer.FRAUD, Answer.COMPLIANCE, Answer.HOLD)),
        ("allow", (Answer.COMPLIANCE, Answer.HOLD)),
        ("allow held", (Answer.COMPLIANCE,)),
        ("clear held", (Answer.FRAUD,)),
        ("allow clear", (Answer.HOLD,)),
        ("allow clear held", (Answer.POSTING,)),
        ("listed! held", (Answer.BLOCKING,)),
    ],
)
def test_what_is_awaited_is_asked_for_again(words: str, awaited: tuple[Answer, ...]) -> None:
    story = Story().hears(f"{words} wait")
    (overdue,) = story.events
    assert isinstance(overdue, PaymentAnswerOverdue)
    assert (overdue.awaited, overdue.order) == (awaited, story.payment.order)
    assert story.now == START + ASK


def test_a_payment_without_all_answers_is_suspended_and_never_approved() -> None:
    story = Story().hears("allow clear wait wait")
    (suspended,) = story.events
    assert isinstance(suspended, PaymentSuspended)
    assert suspended.reasons == (InternalReason.ANSWER_MISSING,)
    assert suspended.decide_by == story.now + REVIEW
    assert (story.now, story.payment.state) == (START + SUSPEND, PaymentState.SUSPENDED)


def test_a_suspension_for_a_missing_answer_says_what_else_there_is_to_look_at() -> None:
    story = Story().hears("fraud? listed? silence")
    assert story.payment.reasons == (
        InternalReason.ANSWER_MISSING,
        InternalReason.FRAUD_REVIEW,
        InternalReason.COMPLIANCE_REVIEW,
    )


@pytest.mark.parametrize(
    ("known", "told", "state"),
    [
        ("fraud? clear held", ["PaymentRejected", "PaymentRefusalExplained"], PaymentState.REJECTED),
        ("clear silence", ["PaymentRejected", "PaymentRefusalExplained"], PaymentState.REJECTED),
        ("allow clear held debtor-frozen", ["PaymentRejected", "PaymentRefusalExplained"], PaymentState.REJECTED),
        ("fraud? clear silence approve", ["PaymentRejected", "PaymentRefusalExplained"], PaymentState.REJECTED),
        # What may belong to a listed party is never given back because nobody had the time to look.
        ("allow listed? held", ["PaymentSuspended"], PaymentState.SUSPENDED),
        ("allow held silence", ["PaymentAnswerOverdue"], PaymentState.SUSPENDED),
        ("silence", ["PaymentAnswerOverdue"], PaymentState.SUSPENDED),
        ("listed! silence", ["PaymentAnswerOverdue"], PaymentState.SUSPENDED),
        ("clear silence block", ["PaymentAnswerOverdue"], PaymentState.SUSPENDED),
    ],
)
def test_what_nobody_decides_in_time_is_given_up_if_it_may_be_given_back(
    known: str, told: list[str], state: PaymentState
) -> None:
    story = Story().hears(known)
    suspended_at = story.payment.entered_at
    while story.now < suspended_at + REVIEW:
        story.hears("wait")
    assert story.now == suspended_at + REVIEW
    assert (story.told, story.payment.state) == (told, state)
    if state is PaymentState.REJECTED:
        assert story.payment.public_reason is PublicReason.NOT_COMPLETED_IN_TIME
        assert story.payment.internal_reason is InternalReason.REVIEW_TIMED_OUT
    else:
        assert story.payment.deadline_at == suspended_at + REVIEW + REVIEW / 2, "it is looked at again"


def test_the_last_row_repeats() -> None:
    story = Story().hears("allow clear held")
    ages = []
    for _ in range(5):
        story.hears("wait")
        ages.append(story.now - story.payment.entered_at)
    assert ages == [
        ASK,
        SUSPEND,
        SUSPEND + (SUSPEND - ASK),
        SUSPEND + 2 * (SUSPEND - ASK),
        SUSPEND + 3 * (SUSPEND - ASK),
    ]
    assert due_action(story.payment, POLICY) is Action.ALERT
    assert story.told == ["PaymentAnswerOverdue"]


def test_after_an_outage_each_missed_row_is_made_up_for_once() -> None:
    story = Story().hears("allow clear held")
    story.now += timedelta(hours=10)
    asked = 0
    while story.payment.deadline_at is not None and story.payment.deadline_at <= story.now:
        asked += len(story.hears("look").events)
    assert asked == 2
    assert story.payment.deadline_at is not None
    assert timedelta(0) < story.payment.deadline_at - story.now <= SUSPEND - ASK


def test_a_look_before_the_deadline_decides_nothing_and_looks_again_then() -> None:
    story = Story().hears("allow clear")
    story.now += ASK - timedelta(seconds=1)
    story.hears("held")
    assert story.payment.check_at == START + ASK, "what is indexed is left alone"
    assert story.payment.deadline_at == story.now + ASK
    story.hears("wait")
    assert (story.told, story.payment.check_at) == ([], story.payment.deadline_at)
    assert story.hears("wait").told == ["PaymentAnswerOverdue"]


@pytest.mark.parametrize("words", ["clear cancel", "declined", "allow clear held posted", "listed! held blocked"])
def test_nobody_waits_for_a_payment_that_has_ended(words: str) -> None:
    story = Story().hears(words)
    assert (story.payment.deadline_at, story.payment.check_at) == (None, None)
    assert story.payment.ended_at == story.now
    ended = story.payment
    assert story.hears("look").payment == ended
    assert story.told == []


def test_a_look_at_a_payment_that_does_not_exist_is_nothing() -> None:
    assert Story(began=False).hears("look").told == []


def test_every_look_is_made_at_a_time_of_its_own() -> None:
    """What a look decides is published under ids derived from its time: two looks at one time would share them."""
    story = Story()
    looks = []
    for word in ["wait", "wait", "held", "allow", "wait", "wait", "clear", "wait", "wait", "wait"]:
        if word == "wait":
            looks.append(story.payment.check_at)
        story.hears(word)
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("words", ["allow clear held", "", "fraud? clear held"])
def test_a_look_is_taken_once_though_two_workers_find_it_due(words: str) -> None:
    """After an outage the next row is due as well: that is for the next look, whose events have ids of their own."""
    story = Story().hears(words)
    story.now += timedelta(days=30)
    tick = story.tick()
    assert story.decide(tick)
    looked_at = story.payment
    assert story.decide(tick) == []
    assert story.payment == looked_at


def test_a_new_state_begins_with_its_first_row() -> None:
    payment = Story().hears("wait wait").payment
    assert payment.deadline_step == 0
    later = next_deadline(payment, START + SUSPEND, POLICY)
    assert (later.deadline_step, later.deadline_at) == (1, START + SUSPEND + REVIEW)
    again = enter(later, PaymentState.INITIATED, START + REVIEW, POLICY)
    assert (again.deadline_step, again.deadline_at) == (0, START + REVIEW + ASK)


def test_asking_for_months_does_not_grow_a_payment_without_bound() -> None:
    story = Story().hears("allow clear held")
    for _ in range(3 * STEPS_MAX):
        story.hears("wait")
    assert len(story.payment.steps) == STEPS_MAX
    assert story.payment.steps[0].what == "initiated"
    assert story.payment.steps[-1].at == story.now
