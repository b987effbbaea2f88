"""A client that says itself how much to take, and when: what is authorised, captured, given back or looked at again."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from schemas.compliance.events import CaseDecision
from schemas.payments.events import (
    Answer,
    InternalReason,
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentAuthorised,
    PaymentSettled,
    PublicReason,
)
from services.payments.domain.captures import CapturePayment
from services.payments.domain.fees import FeeRule
from services.payments.domain.payment import Capture, Charge, PaymentState
from services.payments.domain.refusals import RefusalReason
from services.payments.settings import CAPTURE_SECONDS_MAX, PaymentsSettings
from tests.unit.payments.story import ASK, CAPTURE, CLIENT, FEE, PART, PAYMENT, REVIEW, START, Story, resolved

SUSPENDED, AUTHORISED, APPROVED, BLOCKING, SETTLED, REJECTED, CANCELLED = (
    PaymentState.SUSPENDED,
    PaymentState.AUTHORISED,
    PaymentState.APPROVED,
    PaymentState.BLOCKING,
    PaymentState.SETTLED,
    PaymentState.REJECTED,
    PaymentState.CANCELLED,
)
SECOND = timedelta(seconds=1)
BLOCK = ["PaymentBlockRequested", "PaymentRefusalExplained"]


def manual(words: str = "") -> Story:
    """A payment whose client captures it itself."""
    return Story(capture=Capture.MANUAL).hears(words)


def authorised(words: str = "allow clear held") -> Story:
    story = manual(words)
    assert story.payment.state is AUTHORISED
    return story


def later(story: Story, words: str) -> Story:
    """What is heard a second later: a screening that is newer, say."""
    story.now += SECOND
    return story.hears(words)


def capturing(amount: str | None = None, *, client_id: str | None = CLIENT) -> CapturePayment:
    return CapturePayment(payment_id=PAYMENT, client_id=client_id, amount=amount)


# Authorised


@pytest.mark.parametrize("words", ["allow clear held", "held clear allow", "fraud? clear held taken approve"])
def test_a_payment_to_be_captured_waits_for_its_client_when_all_is_well(words: str) -> None:
    story = authorised(words)
    (told,) = story.events
    assert isinstance(told, PaymentAuthorised)
    assert (told.amount_minor, told.fee_minor) == (1234, FEE)
    assert told.capture_by == story.now + CAPTURE == story.payment.capture_by == story.payment.deadline_at


@pytest.mark.parametrize("words", ["allow clear", "fraud? clear held", "listed! held", "declined"])
def test_nothing_is_authorised_that_would_not_be_approved(words: str) -> None:
    assert not [event for event in manual(words).all_events if isinstance(event, PaymentAuthorised)]


@pytest.mark.parametrize("answer", ["allow", "fraud!", "clear", "listed!", "held", "declined", "taken", "approve"])
def test_a_repeated_answer_changes_nothing_about_an_authorised_payment(answer: str) -> None:
    story = authorised()
    known = story.payment
    assert (story.hears(answer).payment, story.told) == (known, [])


# Captured


@pytest.mark.parametrize(
    ("word", "charge", "detail"),
    [
        ("capture", Charge(amount_minor=1234, fee_minor=FEE), "12.34, fee 0.22"),
        ("capture-part", PART, "5.00, fee 0.15"),
    ],
)
def test_all_or_part_is_captured_with_its_own_fee(word: str, charge: Charge, detail: str) -> None:
    story = authorised().hears(word)
    (approved,) = story.events
    assert isinstance(approved, PaymentApproved)
    assert (story.payment.state, story.payment.captured) == (APPROVED, charge)
    assert Charge(amount_minor=approved.amount_minor, fee_minor=approved.fee_minor) == charge
    shown = [step for step in story.payment.steps if not step.is_internal]
    assert (shown[-1].what, shown[-1].detail) == ("captured", detail)


def test_what_is_captured_is_what_is_settled() -> None:
    story = authorised().hears("capture-part part-posted")
    (settled,) = story.events
    assert isinstance(settled, PaymentSettled)
    assert (settled.amount_minor, settled.fee_minor) == (PART.amount_minor, PART.fee_minor)
    assert (story.payment.state, story.payment.settled) == (SETTLED, PART)


@pytest.mark.parametrize(("fixed_minor", "fee_minor"), [(9, 9), (FEE, FEE), (500, FEE)])
def test_the_fee_of_a_capture_is_never_more_than_is_held_for_it(fixed_minor: int, fee_minor: int) -> None:
    story = authorised()
    story.state.fees = {"EUR": FeeRule(fixed_minor=fixed_minor)}
    captured = story.hears("capture-part").payment.captured
    assert captured == Charge(amount_minor=PART.amount_minor, fee_minor=fee_minor)


@pytest.mark.parametrize(
    ("reason", "story", "command"),
    [
        (RefusalReason.PAYMENT_UNKNOWN, Story(began=False), capturing("a lot")),
        (RefusalReason.PAYMENT_UNKNOWN, manual("declined"), capturing("a lot", client_id="other")),
        (RefusalReason.PAYMENT_ENDED, manual("declined"), capturing("a lot")),
        (RefusalReason.PAYMENT_ENDED, authorised().hears("cancel look"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, Story(), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, Story().hears("allow clear held"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, manual("allow clear"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, manual("fraud? clear held"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, authorised().hears("capture"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, authorised().hears("cancel"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, later(authorised(), "listed? cancel"), capturing("a lot")),
        (RefusalReason.PAYMENT_NOT_CAPTURABLE, authorised().hears("capture debtor-frozen"), capturing("a lot")),
        (RefusalReason.AMOUNT_INVALID, authorised(), capturing("a lot")),
        (RefusalReason.AMOUNT_INVALID, authorised(), capturing("0.00")),
        (RefusalReason.AMOUNT_INVALID, authorised(), capturing("-1")),
        (RefusalReason.AMOUNT_INVALID, authorised(), capturing("1.001")),
        (RefusalReason.AMOUNT_TOO_LARGE, authorised(), capturing("12.35")),
        (RefusalReason.AMOUNT_TOO_LARGE, authorised(), capturing("9" * 20)),
    ],
)
def test_a_capture_is_refused_for_the_first_reason_that_applies(
    reason: RefusalReason, story: Story, command: CapturePayment
) -> None:
    known = story.state.payments.get(PAYMENT)
    story.decide(command)
    assert story.refusal == reason
    assert story.state.payments.get(PAYMENT) == known


def test_a_capture_comes_too_late_when_its_time_is_over_though_nobody_has_looked_yet() -> None:
    story = authorised()
    story.now = START + CAPTURE
    story.decide(capturing())
    assert story.refusal == RefusalReason.PAYMENT_NOT_CAPTURABLE
    story = authorised()
    story.now = START + CAPTURE - SECOND
    assert story.hears("capture").payment.state is APPROVED


def test_staff_may_capture_anyones_payment() -> None:
    story = authorised()
    story.decide(capturing("12.34", client_id=None))
    assert story.payment.captured == Charge(amount_minor=1234, fee_minor=FEE)


# What happens to an order to move less than all


def test_what_is_captured_is_asked_for_again() -> None:
    (overdue,) = authorised().hears("capture-part wait wait").events
    assert isinstance(overdue, PaymentAnswerOverdue)
    assert overdue.awaited == (Answer.POSTING,)
    assert (overdue.approved_amount_minor, overdue.approved_fee_minor) == (PART.amount_minor, PART.fee_minor)


def test_what_is_captured_outlives_a_refused_posting() -> None:
    story = authorised().hears("capture-part debtor-frozen")
    assert (story.payment.state, story.payment.reasons) == (SUSPENDED, (InternalReason.POSTING_REFUSED,))
    (approved,) = story.hears("taken approve").events
    assert isinstance(approved, PaymentApproved)
    assert (approved.amount_minor, approved.fee_minor) == (PART.amount_minor, PART.fee_minor)


@pytest.mark.parametrize(
    ("words", "state"), [("capture creditor-frozen", REJECTED), ("capture nothing-held", REJECTED)]
)
def test_a_refused_posting_of_what_was_captured_ends_as_any_other(words: str, state: PaymentState) -> None:
    assert authorised().hears(words).payment.state is state


# Given back


@pytest.mark.parametrize("words", ["allow clear held", "allow listed? held taken approve"])
def test_the_sweep_carries_out_the_withdrawal_of_an_authorised_payment_as_soon_as_it_looks(words: str) -> None:
    """Screening found nothing, or two people have seen what it found and approved."""
    story = later(authorised(words), "cancel")
    assert (story.payment.state, story.told, story.payment.check_at) == (AUTHORISED, [], story.now)
    assert (story.hears("look").payment.state, story.told) == (CANCELLED, ["PaymentCancelled"])


def test_a_withdrawal_that_the_sweep_may_not_carry_out_leaves_the_payment_its_deadline() -> None:
    story = later(authorised(), "listed?")
    deadline_at = story.payment.deadline_at
    assert (later(story, "cancel look").payment.state, story.told) == (SUSPENDED, [])
    assert story.payment.check_at == story.payment.deadline_at == deadline_at


def test_a_withdrawal_of_what_people_work_on_waits_for_them_though_screening_has_cleared_it() -> None:
    story = later(later(authorised(), "listed? taken"), "clear")
    assert story.hears("cancel look").payment.state is SUSPENDED
    story.decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=story.payment.told_at))
    assert (story.payment.state, story.told) == (CANCELLED, ["PaymentCancelled"])


def test_a_doubt_stops_a_withdrawal_that_is_not_carried_out_yet() -> None:
    story = later(authorised(), "cancel")
    assert later(story, "listed? look").payment.state is SUSPENDED
    story = later(authorised(), "cancel")
    assert later(story, "listed! look").payment.state is BLOCKING


def test_a_withdrawal_when_the_time_to_capture_is_over_is_carried_out_as_one() -> None:
    story = authorised()
    story.now += CAPTURE + SECOND
    assert story.hears("cancel look").payment.state is CANCELLED
    assert [step.what for step in story.payment.steps[-2:]] == ["cancel requested", "cancelled"]


def test_what_is_captured_cannot_be_withdrawn_whoever_looks_at_it() -> None:
    refused = authorised().hears("capture debtor-frozen")
    assert refused.payment.is_posting_refused
    for story in (authorised().hears("capture"), later(authorised(), "listed? capture"), refused):
        assert story.hears("cancel").refusal == RefusalReason.PAYMENT_NOT_CANCELLABLE


def test_what_nobody_captures_in_time_is_given_back() -> None:
    story = authorised()
    while story.payment.state is AUTHORISED:
        story.hears("wait")
    assert (story.now, story.told) == (START + CAPTURE, ["PaymentCancelled"])
    assert [step.what for step in story.payment.steps[-2:]] == ["not captured in time", "cancelled"]


def test_a_hold_that_ran_out_ends_an_authorised_payment() -> None:
    story = authorised().hears("released")
    assert (story.payment.state, story.payment.public_reason) == (REJECTED, PublicReason.NOT_COMPLETED_IN_TIME)


# Screened again


@pytest.mark.parametrize("words", ["allow clear held", "allow listed? held approve", "fraud? clear held approve"])
@pytest.mark.parametrize(
    ("news", "state", "told"),
    [("listed!", BLOCKING, BLOCK), ("listed?", SUSPENDED, ["PaymentSuspended"]), ("clear", AUTHORISED, [])],
)
def test_what_screening_finds_counts_as_long_as_nothing_is_captured(
    words: str, news: str, state: PaymentState, told: list[str]
) -> None:
    story = later(authorised(words), news)
    assert (story.payment.state, story.told) == (state, told)
    assert story.hears(news).told == [], "a repeated answer changes nothing"


@pytest.mark.parametrize(
    ("decision", "state", "told"),
    [
        ("approve", APPROVED, ["PaymentApproved"]),
        ("reject", REJECTED, ["PaymentRejected", "PaymentRefusalExplained"]),
        ("block", BLOCKING, BLOCK),
    ],
)
def test_a_capture_waits_for_people_who_look(decision: str, state: PaymentState, told: list[str]) -> None:
    story = later(authorised(), "listed? capture-part")
    assert (story.payment.state, story.told, story.payment.captured) == (SUSPENDED, [], PART)
    story.hears(f"taken {decision}")
    assert (story.payment.state, story.told) == (state, told)


def test_what_people_approve_before_it_is_captured_is_authorised_again_without_a_word() -> None:
    story = authorised()
    capture_by = story.payment.capture_by
    story.now += timedelta(days=1)
    story.hears("listed? taken approve")
    assert (story.payment.state, story.told) == (AUTHORISED, [])
    assert story.payment.capture_by == story.payment.deadline_at == capture_by, "the client's time has gone on"
    assert story.hears("capture").told == ["PaymentApproved"]


def test_what_people_approve_when_the_time_to_capture_is_over_is_given_back() -> None:
    story = authorised()
    story.now += CAPTURE - SECOND
    story.hears("listed?")
    story.now += SECOND
    assert (story.hears("approve").payment.state, story.told) == (CANCELLED, ["PaymentCancelled"])


def test_a_withdrawal_of_what_may_be_a_listed_partys_waits() -> None:
    story = later(authorised(), "listed? cancel")
    assert (story.payment.state, story.payment.is_cancel_requested) == (SUSPENDED, True)
    assert later(story, "clear").payment.state is CANCELLED


def test_people_who_work_on_it_have_the_last_word_when_screening_clears_it() -> None:
    story = later(authorised(), "listed? taken")
    assert later(story, "clear").payment.state is SUSPENDED
    story.decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=story.payment.told_at))
    assert story.payment.state is AUTHORISED


def test_money_listed_while_people_look_is_blocked() -> None:
    story = later(authorised(), "listed? capture")
    assert later(story, "listed!").payment.state is BLOCKING


@pytest.mark.parametrize("words", ["fraud! listed? held approve"])
def test_what_fraud_said_before_people_approved_does_not_refuse_it_by_itself_afterwards(words: str) -> None:
    story = later(authorised(words), "listed?")
    assert later(story, "clear").payment.state is SUSPENDED


def test_listed_money_is_not_given_back_when_nobody_decides_after_a_capture() -> None:
    story = later(authorised(), "listed? capture")
    suspended_at = story.now
    while story.now < suspended_at + 2 * REVIEW:
        story.hears("wait")
    assert story.payment.state is SUSPENDED


# Its deadline by configuration


@pytest.mark.parametrize("seconds", [0, -1, CAPTURE_SECONDS_MAX + 1])
def test_the_time_to_capture_is_shorter_than_money_is_held(seconds: float) -> None:
    with pytest.raises(ValidationError) as refused:
        PaymentsSettings(database_url="postgresql://nowhere", capture_seconds=seconds)
    assert [error["loc"] for error in refused.value.errors()] == [("capture_seconds",)]


def test_a_new_capture_is_given_its_time_to_be_posted() -> None:
    story = authorised()
    story.now += timedelta(days=6)
    story.hears("capture")
    assert story.payment.deadline_at == story.now + ASK
