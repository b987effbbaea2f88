"""The process manager: every answer in every order, and exactly one end for each payment."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from libs.common.record import replace
from schemas.accounts.events import DeclineReason, PostRefusal
from schemas.compliance.events import CaseDecision
from schemas.payments.events import (
    InternalReason,
    PaymentAnswerOverdue,
    PaymentRefusalExplained,
    PaymentRejected,
    PaymentResumed,
    PaymentSuspended,
    PublicReason,
)
from services.payments.domain.payment import PaymentState
from tests.unit.payments.story import PAYMENT, START, Story, declined, refused, resolved

INITIATED, SUSPENDED, APPROVED, BLOCKING = (
    PaymentState.INITIATED,
    PaymentState.SUSPENDED,
    PaymentState.APPROVED,
    PaymentState.BLOCKING,
)
SETTLED, REJECTED, CANCELLED, BLOCKED = (
    PaymentState.SETTLED,
    PaymentState.REJECTED,
    PaymentState.CANCELLED,
    PaymentState.BLOCKED,
)
REJECTION = ["PaymentRejected", "PaymentRefusalExplained"]
BLOCK = ["PaymentBlockRequested", "PaymentRefusalExplained"]


# The three answers


@pytest.mark.parametrize(
    ("answers", "state", "told"),
    [
        ("allow clear held", APPROVED, ["PaymentApproved"]),
        ("fraud? clear held", SUSPENDED, ["PaymentSuspended"]),
        ("allow listed? held", SUSPENDED, ["PaymentSuspended"]),
        ("fraud? listed? held", SUSPENDED, ["PaymentSuspended"]),
        ("fraud! listed? held", SUSPENDED, ["PaymentSuspended"]),
        ("fraud! clear held", REJECTED, REJECTION),
    ],
)
def test_three_answers_decide_in_whatever_order_they_come(answers: str, state: PaymentState, told: list[str]) -> None:
    for order in permutations(answers.split()):
        story = Story().hears(" ".join(order))
        assert (story.payment.state, story.told) == (state, told), order


@pytest.mark.parametrize("others", ["", "allow", "fraud?", "fraud!"])
def test_listed_money_is_blocked_as_soon_as_it_is_held_whatever_fraud_says(others: str) -> None:
    for order in permutations(["listed!", "held", *others.split()]):
        story = Story().hears(" ".join(order))
        assert story.payment.state is BLOCKING, order
        assert [type(event).__name__ for event in story.all_events].count("PaymentBlockRequested") == 1


@pytest.mark.parametrize(
    "others", ["", "allow", "fraud!", "clear", "listed?", "listed!", "allow clear", "fraud? listed!"]
)
def test_money_that_is_not_there_ends_a_payment_whatever_else_is_known(others: str) -> None:
    story = Story().hears(f"{others} declined")
    assert (story.payment.state, story.told) == (REJECTED, REJECTION)
    assert story.payment.public_reason is PublicReason.INSUFFICIENT_FUNDS


@pytest.mark.parametrize("two", list(permutations(["allow", "clear", "held"], 2)))
def test_two_answers_approve_nothing(two: tuple[str, str]) -> None:
    story = Story().hears(" ".join(two))
    assert (story.payment.state, story.told) == (INITIATED, [])


@pytest.mark.parametrize("end", ["posted", "blocked", "debtor-frozen", "approve", "reject", "block", "taken"])
def test_nothing_but_the_three_answers_approves(end: str) -> None:
    story = Story().hears(f"allow clear {end}")
    assert "PaymentApproved" not in [type(event).__name__ for event in story.all_events]


@pytest.mark.parametrize("answer", ["allow", "fraud?", "fraud!", "clear", "listed?", "listed!", "held", "declined"])
@pytest.mark.parametrize("before", ["", "allow listed?", "allow clear held"])
def test_a_repeated_answer_changes_nothing(answer: str, before: str) -> None:
    story = Story().hears(f"{before} {answer}")
    known = story.payment
    story.hears(answer)
    assert (story.payment, story.events) == (known, [])


@pytest.mark.parametrize(
    ("first", "second"),
    [("allow", "fraud!"), ("clear", "listed!"), ("held", "declined"), ("declined", "held")],
)
def test_the_first_answer_stands(first: str, second: str) -> None:
    story = Story().hears(first)
    known = story.payment
    assert story.hears(second).payment == known


@pytest.mark.parametrize(
    ("reason", "public"),
    [
        (DeclineReason.UNKNOWN, PublicReason.DECLINED),
        (DeclineReason.PAYMENT_ENDED, PublicReason.NOT_COMPLETED_IN_TIME),
        (DeclineReason.DEBTOR_ACCOUNT_UNKNOWN, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.CREDITOR_ACCOUNT_UNKNOWN, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.DEBTOR_ACCOUNT_CLOSED, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.DEBTOR_ACCOUNT_FROZEN, PublicReason.DEBTOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.CREDITOR_ACCOUNT_CLOSED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.CREDITOR_ACCOUNT_FROZEN, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (DeclineReason.CURRENCY_NOT_HELD, PublicReason.CURRENCY_NOT_HELD),
        (DeclineReason.LIMIT_EXCEEDED, PublicReason.LIMIT_EXCEEDED),
        (DeclineReason.DAILY_LIMIT_EXCEEDED, PublicReason.LIMIT_EXCEEDED),
        (DeclineReason.MONTHLY_LIMIT_EXCEEDED, PublicReason.LIMIT_EXCEEDED),
        (DeclineReason.INSUFFICIENT_FUNDS, PublicReason.INSUFFICIENT_FUNDS),
        (DeclineReason.CEILING_EXCEEDED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
    ],
)
def test_every_reason_for_declining_has_a_public_word(reason: DeclineReason, public: PublicReason) -> None:
    story = Story()
    story.decide(declined(reason, story.now))
    rejected, explained = story.events
    assert isinstance(rejected, PaymentRejected) and isinstance(explained, PaymentRefusalExplained)
    assert (rejected.reason, explained.reason) == (public, InternalReason.FUNDS_DECLINED)
    assert explained.evidence.funds_outcome == reason.value


def test_no_reason_for_declining_is_left_out() -> None:
    (table,) = test_every_reason_for_declining_has_a_public_word.pytestmark  # type: ignore[attr-defined]
    assert {reason for reason, _ in table.args[1]} == set(DeclineReason)


# Late answers


@pytest.mark.parametrize(
    ("end", "state"),
    [("clear cancel", CANCELLED), ("declined", REJECTED)],
)
@pytest.mark.parametrize("late", ["fraud!", "listed!", "allow"])
def test_an_answer_after_the_end_is_recorded_and_changes_nothing_else(end: str, state: PaymentState, late: str) -> None:
    if late == "listed!" and "clear" in end:
        late = "fraud?"
    story = Story().hears(f"{end} {late}")
    assert (story.payment.state, story.told) == (state, [])
    assert story.payment.assessment is not None or story.payment.screening is not None


def test_a_hold_after_the_end_is_released() -> None:
    story = Story().hears("clear cancel held")
    assert (story.payment.state, story.told) == (CANCELLED, ["PaymentReleaseRequested"])
    assert story.hears("released").payment.state is CANCELLED
    assert story.told == []


def test_a_hold_after_a_rejection_by_reviewers_is_released() -> None:
    story = Story().hears("allow clear silence reject held")
    assert (story.payment.state, story.told) == (REJECTED, ["PaymentReleaseRequested"])


# The money


def test_a_posted_payment_is_settled_once() -> None:
    story = Story().hears("allow clear held posted")
    assert (story.payment.state, story.told) == (SETTLED, ["PaymentSettled"])
    settled = story.payment
    assert story.hears("posted").payment == settled
    assert story.told == []


def test_blocked_money_ends_a_payment_once() -> None:
    story = Story().hears("listed! held blocked")
    assert (story.payment.state, story.told) == (BLOCKED, ["PaymentBlocked"])
    blocked = story.payment
    assert story.hears("blocked").payment == blocked
    assert story.told == []


@pytest.mark.parametrize(
    ("ended", "moved"),
    [
        ("clear cancel", "posted"),
        ("clear cancel", "blocked"),
        ("declined", "posted"),
        ("declined", "blocked"),
        ("allow clear held posted", "blocked"),
        ("listed! held blocked", "posted"),
    ],
)
def test_money_that_moves_after_another_end_is_a_fault_that_someone_must_see(ended: str, moved: str) -> None:
    story = Story().hears(ended)
    known = story.payment
    assert "that has ended" in str(story.fails_at(moved))
    assert story.payment == known


@pytest.mark.parametrize(
    ("reason", "state", "public"),
    [
        (PostRefusal.UNKNOWN, SUSPENDED, None),
        (PostRefusal.NOTHING_HELD, REJECTED, PublicReason.NOT_COMPLETED_IN_TIME),
        (PostRefusal.DEBTOR_ACCOUNT_CLOSED, SUSPENDED, None),
        (PostRefusal.DEBTOR_ACCOUNT_FROZEN, SUSPENDED, None),
        (PostRefusal.CREDITOR_ACCOUNT_CLOSED, REJECTED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (PostRefusal.CREDITOR_ACCOUNT_FROZEN, REJECTED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
        (PostRefusal.CEILING_EXCEEDED, REJECTED, PublicReason.CREDITOR_ACCOUNT_UNAVAILABLE),
    ],
)
def test_a_refused_posting_has_an_answer(reason: PostRefusal, state: PaymentState, public: PublicReason | None) -> None:
    story = Story().hears("allow clear held")
    story.decide(refused(reason, story.now))
    assert (story.payment.state, story.payment.public_reason) == (state, public)
    if state is SUSPENDED:
        assert story.payment.reasons == (InternalReason.POSTING_REFUSED,)
    else:
        assert story.payment.internal_reason is InternalReason.POSTING_REFUSED


def test_no_refusal_to_post_is_left_out() -> None:
    (table,) = test_a_refused_posting_has_an_answer.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in table.args[1]} == set(PostRefusal)


@pytest.mark.parametrize(
    ("decision", "state", "told"),
    [
        ("approve", APPROVED, ["PaymentApproved"]),
        ("reject", REJECTED, REJECTION),
        ("block", BLOCKING, BLOCK),
    ],
)
def test_people_decide_about_a_refused_posting(decision: str, state: PaymentState, told: list[str]) -> None:
    story = Story().hears(f"allow clear held debtor-frozen taken {decision}")
    assert (story.payment.state, story.told) == (state, told)
    if state is REJECTED:
        # The client has seen it approved: `declined` would say that people looked at it.
        assert story.payment.public_reason is PublicReason.NOT_COMPLETED_IN_TIME


def test_an_earlier_decision_does_not_answer_for_a_refused_posting() -> None:
    story = Story().hears("fraud? clear held approve debtor-frozen")
    assert (story.payment.state, story.payment.resolution, story.told) == (SUSPENDED, None, ["PaymentSuspended"])
    assert story.hears("approve").payment.state is APPROVED


@pytest.mark.parametrize("reason", [PostRefusal.DEBTOR_ACCOUNT_FROZEN, PostRefusal.CREDITOR_ACCOUNT_FROZEN])
def test_an_old_refusal_to_post_does_not_answer_a_new_approval(reason: PostRefusal) -> None:
    """Accounts answers what it was asked about the first approval before it hears of the second, and may then post."""
    story = Story().hears("allow clear held")
    first = story.payment.entered_at
    story.now += timedelta(hours=1)
    story.hears("debtor-frozen approve")
    second = story.payment.entered_at
    old = replace(refused(reason, story.now), approved_at=first)
    assert (story.decide(old), story.payment.state) == ([], APPROVED)
    story.decide(replace(old, approved_at=second))
    assert story.payment.state is (SUSPENDED if reason is PostRefusal.DEBTOR_ACCOUNT_FROZEN else REJECTED)


def test_who_is_asked_about_a_posting_is_told_which_approval_it_is_about() -> None:
    (asked,) = Story().hears("allow clear held wait").events
    assert isinstance(asked, PaymentAnswerOverdue)
    assert asked.approved_at == START


def test_an_old_refusal_to_post_does_not_stop_a_block_under_way() -> None:
    story = Story().hears("allow clear held debtor-frozen block debtor-frozen")
    assert (story.payment.state, story.told) == (BLOCKING, [])


def test_a_block_of_money_that_is_gone_ends_the_payment() -> None:
    story = Story().hears("listed! held nothing-held")
    assert (story.payment.state, story.told) == (REJECTED, REJECTION)


@pytest.mark.parametrize("state", ["", "fraud? clear", "allow clear", "listed!"])
def test_a_hold_that_ran_out_ends_the_payment(state: str) -> None:
    story = Story().hears(f"{state} held released")
    assert (story.payment.state, story.told) == (REJECTED, REJECTION)
    assert story.payment.public_reason is PublicReason.NOT_COMPLETED_IN_TIME


# People


@pytest.mark.parametrize(
    ("known", "decision", "state", "told"),
    [
        ("fraud? clear held", "approve", APPROVED, ["PaymentApproved"]),
        ("fraud? clear held", "reject", REJECTED, REJECTION),
        ("fraud? clear held", "block", BLOCKING, BLOCK),
        ("allow listed? held", "approve", APPROVED, ["PaymentApproved"]),
        ("allow listed? held", "reject", REJECTED, REJECTION),
        ("allow listed? held", "block", BLOCKING, BLOCK),
        # What they decide waits for the answers that it takes.
        ("allow silence", "approve", SUSPENDED, []),
        ("allow silence", "reject", SUSPENDED, []),
        ("allow silence", "block", SUSPENDED, []),
        ("allow listed? silence", "approve", SUSPENDED, []),
        ("allow listed? silence", "reject", REJECTED, REJECTION),
        ("allow listed? silence", "block", SUSPENDED, []),
        ("held silence", "block", BLOCKING, BLOCK),
        ("held listed? silence", "approve", SUSPENDED, []),
        ("held listed? silence", "reject", REJECTED, REJECTION),
        ("held listed? silence", "block", BLOCKING, BLOCK),
        ("held allow silence", "approve", SUSPENDED, []),
        ("held allow silence", "reject", SUSPENDED, []),
        # Money that is certainly listed is blocked, whatever they wished.
        ("allow silence taken listed!", "approve", SUSPENDED, []),
        ("allow silence taken listed!", "reject", SUSPENDED, []),
    ],
)
def test_a_decision_of_people_is_carried_out_as_far_as_is_known(
    known: str, decision: str, state: PaymentState, told: list[str]
) -> None:
    story = Story().hears(f"{known} {decision}")
    assert (story.payment.state, story.told) == (state, told)


@pytest.mark.parametrize(
    ("decided", "answer", "state", "told"),
    [
        ("clear held silence approve", "allow", APPROVED, ["PaymentApproved"]),
        ("clear held silence approve", "fraud?", SUSPENDED, ["PaymentSuspended"]),
        ("clear held silence approve", "fraud!", SUSPENDED, ["PaymentSuspended"]),
        ("allow held silence approve", "clear", APPROVED, ["PaymentApproved"]),
        ("allow held silence approve", "listed?", SUSPENDED, ["PaymentSuspended"]),
        ("allow held silence approve", "listed!", BLOCKING, BLOCK),
        ("allow clear silence approve", "held", APPROVED, ["PaymentApproved"]),
        ("allow clear silence approve", "declined", REJECTED, REJECTION),
        ("allow held silence reject", "clear", REJECTED, REJECTION),
        ("allow held silence reject", "listed?", REJECTED, REJECTION),
        ("allow held silence reject", "listed!", BLOCKING, BLOCK),
        ("allow clear silence block", "held", BLOCKING, BLOCK),
        ("allow clear silence block", "declined", REJECTED, REJECTION),
        ("silence block", "held", BLOCKING, BLOCK),
    ],
)
def test_an_answer_after_people_have_decided(decided: str, answer: str, state: PaymentState, told: list[str]) -> None:
    story = Story().hears(f"{decided} {answer}")
    assert (story.payment.state, story.told) == (state, told)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("listed! held", InternalReason.COMPLIANCE_BLOCK),
        ("held silence taken listed! approve", InternalReason.COMPLIANCE_BLOCK),
        ("fraud? clear held block", InternalReason.REVIEWER_BLOCKED),
    ],
)
def test_a_block_says_who_wanted_it(words: str, reason: InternalReason) -> None:
    story = Story().hears(words)
    assert (story.payment.state, story.payment.internal_reason) == (BLOCKING, reason)


def test_what_people_could_not_know_is_asked_again_and_what_they_saw_is_not() -> None:
    story = Story().hears("clear silence taken approve fraud?")
    assert (story.payment.resolution, story.payment.is_case_taken) == (None, False)
    story = Story().hears("clear silence taken fraud? approve")
    assert story.payment.state is SUSPENDED, "the hold is still missing"
    assert story.hears("held").payment.state is APPROVED, "they had seen what fraud said"


@pytest.mark.parametrize(
    ("words", "news", "decision", "state"),
    [
        ("clear held silence taken", "fraud?", CaseDecision.APPROVE, SUSPENDED),
        ("allow held silence taken", "listed?", CaseDecision.APPROVE, SUSPENDED),
        ("listed? held silence taken", "fraud!", CaseDecision.APPROVE, SUSPENDED),
        ("clear held silence taken", "allow", CaseDecision.APPROVE, APPROVED),
        ("clear held silence taken", "fraud?", CaseDecision.REJECT, REJECTED),
        ("allow held silence taken", "listed?", CaseDecision.BLOCK, BLOCKING),
        ("allow held silence taken", "listed!", CaseDecision.APPROVE, BLOCKING),
    ],
)
def test_an_approval_that_crossed_the_news_on_its_way_is_asked_for_again(
    words: str, news: str, decision: CaseDecision, state: PaymentState
) -> None:
    """Two people have decided, but payments had told them of the news a moment too late for them to see it."""
    story = Story().hears(words)
    seen_at = story.now
    story.now += timedelta(seconds=1)
    story.hears(news).decide(resolved(decision, story.now, evidence_at=seen_at))
    assert story.payment.state is state
    if state is SUSPENDED:
        assert story.told == ["PaymentSuspended"]
        assert (story.payment.resolution, story.payment.is_case_taken) == (None, False)
        assert story.payment.entered_at == story.now, "a suspension of its own, so that the case is opened again"
        story.decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=shown_at(story)))
        assert story.payment.state is APPROVED, "now they have seen it"


def test_people_are_told_why_they_are_asked_again_though_screening_has_cleared_it_meanwhile() -> None:
    story = Story().hears("allow listed? held taken")
    seen_at = story.now
    story.now += timedelta(seconds=1)
    story.hears("clear").decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=seen_at))
    assert story.payment.reasons == (InternalReason.COMPLIANCE_REVIEW,)


def test_an_approval_by_people_who_saw_half_of_what_came_in_one_batch_is_asked_for_again() -> None:
    """All messages of a batch have one time."""
    story = Story().hears("held silence taken clear")
    seen_at = shown_at(story)
    story.hears("fraud?").decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=seen_at))
    assert story.payment.state is SUSPENDED
    story.decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=shown_at(story)))
    assert story.payment.state is APPROVED


def shown_at(story: Story) -> datetime:
    """The time that names what people were shown last."""
    (shown,) = story.events
    assert isinstance(shown, PaymentSuspended)
    return shown.suspended_at


@pytest.mark.parametrize(
    ("words", "news", "state", "told"),
    [
        (
            "fraud? clear held",
            "listed!",
            BLOCKING,
            ["PaymentResumed", "PaymentBlockRequested", "PaymentRefusalExplained"],
        ),
        ("fraud? clear held taken", "listed!", SUSPENDED, ["PaymentSuspended"]),
        ("fraud? clear held", "listed?", SUSPENDED, ["PaymentSuspended"]),
        ("allow listed? held", "listed?", SUSPENDED, ["PaymentSuspended"]),
        ("allow listed? held", "clear", SUSPENDED, ["PaymentSuspended"]),
        ("allow listed? held taken", "clear", SUSPENDED, ["PaymentSuspended"]),
        ("clear held silence allow", "listed!", APPROVED, []),
        ("listed! held", "clear", BLOCKING, []),
        ("fraud! clear held", "listed!", REJECTED, []),
    ],
)
def test_while_people_are_to_decide_a_later_screening_counts(
    words: str, news: str, state: PaymentState, told: list[str]
) -> None:
    story = Story().hears(words)
    story.now += timedelta(seconds=1)
    story.hears(news)
    assert (story.payment.state, story.told) == (state, told)
    assert story.payment.reasons or state is not SUSPENDED, "people are told why they are asked"
    assert story.hears(news).told == [], "a repeated answer changes nothing"


@pytest.mark.parametrize(
    ("words", "news", "refusal", "state", "told"),
    [
        # Nobody had looked at what screening says now, or could have.
        ("clear held silence allow", "listed!", "debtor-frozen", BLOCKING, BLOCK),
        ("clear held silence allow", "listed!", "creditor-frozen", BLOCKING, BLOCK),
        ("clear held silence allow", "listed?", "debtor-frozen", SUSPENDED, ["PaymentSuspended"]),
        ("clear held silence allow", "listed?", "creditor-frozen", SUSPENDED, ["PaymentSuspended"]),
        ("allow listed? held approve", "listed?", "creditor-frozen", SUSPENDED, ["PaymentSuspended"]),
        ("fraud? clear held approve", "clear", "creditor-frozen", REJECTED, REJECTION),
        # Two people have, and found that it is someone else.
        ("allow listed? held approve", "", "creditor-frozen", REJECTED, REJECTION),
        # There is nothing to block any more.
        ("clear held silence allow", "listed!", "nothing-held", REJECTED, REJECTION),
    ],
)
def test_what_screening_found_after_the_approval_counts_when_the_posting_is_refused(
    words: str, news: str, refusal: str, state: PaymentState, told: list[str]
) -> None:
    story = Story().hears(words)
    story.now += timedelta(seconds=1)
    assert story.hears(news).payment.state is APPROVED, "what accounts was told can't be taken back"
    assert (story.hears(refusal).payment.state, story.told) == (state, told)


def test_what_screening_found_after_the_approval_does_not_stop_a_settlement() -> None:
    story = Story().hears("clear held silence allow")
    story.now += timedelta(seconds=1)
    assert story.hears("listed! posted").payment.state is SETTLED


def test_money_listed_after_the_approval_is_not_ordered_to_move_a_second_time() -> None:
    """If nothing was heard of the posting, it is blocked, unless it has moved: accounts knows."""
    story = Story().hears("clear held silence allow")
    story.now += timedelta(seconds=1)
    story.hears("listed! wait")
    assert (story.payment.state, story.told) == (BLOCKING, BLOCK)
    assert story.hears("posted").payment.state is SETTLED


@pytest.mark.parametrize(
    ("words", "state"),
    [("", BLOCKING), ("taken", SUSPENDED), ("taken approve", BLOCKING), ("taken reject", BLOCKING)],
)
def test_money_whose_posting_was_refused_is_blocked_when_a_party_is_listed(words: str, state: PaymentState) -> None:
    """At once, unless a person works on it: then by that person's word, whatever it is."""
    story = Story().hears(f"allow clear held debtor-frozen {words.partition(' ')[0]}")
    story.now += timedelta(seconds=1)
    assert story.hears(f"listed! {words.partition(' ')[2]}").payment.state is state


def test_an_approval_that_crossed_a_later_screening_is_asked_for_again() -> None:
    story = Story().hears("allow listed? held taken")
    seen_at = story.now
    story.now += timedelta(seconds=1)
    story.hears("listed?").decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=seen_at))
    assert (story.payment.state, story.payment.is_case_taken) == (SUSPENDED, False)


def test_money_of_a_party_listed_meanwhile_is_not_given_back_when_nobody_decides() -> None:
    story = Story().hears("fraud? clear held taken")
    story.now += timedelta(seconds=1)
    story.hears("listed! wait")
    assert story.payment.state is SUSPENDED


def test_an_approval_from_before_a_posting_was_refused_does_not_count_for_it() -> None:
    story = Story().hears("clear held silence taken")
    seen_at = story.now
    story.now += timedelta(seconds=1)
    story.hears("allow approve debtor-frozen")
    story.decide(resolved(CaseDecision.APPROVE, story.now, evidence_at=seen_at))
    assert story.payment.state is SUSPENDED
    assert story.payment.reasons == (InternalReason.POSTING_REFUSED,)


def test_a_decision_of_a_kind_not_known_here_is_not_guessed_at() -> None:
    story = Story().hears("fraud? clear held")
    known = story.payment
    assert "unknown" in str(story.fails_at_decision(CaseDecision.UNKNOWN))
    assert story.payment == known


@pytest.mark.parametrize("word", ["approve", "reject", "block", "taken"])
@pytest.mark.parametrize("before", ["", "allow clear held", "allow clear held posted", "declined", "listed! held"])
def test_people_decide_only_about_what_is_suspended(word: str, before: str) -> None:
    story = Story().hears(before)
    known = story.payment
    assert (story.hears(word).payment, story.told) == (known, [])


def test_a_payment_suspended_for_a_missing_answer_resumes_by_itself() -> None:
    story = Story().hears("allow clear silence")
    assert story.payment.reasons == (InternalReason.ANSWER_MISSING,)
    resumed = story.hears("held").payment
    assert (resumed.state, story.told) == (APPROVED, ["PaymentResumed", "PaymentApproved"])
    assert resumed.reasons == ()


def test_that_a_payment_goes_on_is_told_between_its_suspensions_by_the_clock_too() -> None:
    """However fast: whoever hears of it late knows by its time that the payment was suspended again since."""
    story = Story().hears("clear silence allow held debtor-frozen")
    told = [event for event in story.all_events if isinstance(event, PaymentSuspended | PaymentResumed)]
    assert [type(event) for event in told] == [PaymentSuspended, PaymentSuspended, PaymentResumed, PaymentSuspended]
    times = [event.suspended_at if isinstance(event, PaymentSuspended) else event.resumed_at for event in told]
    assert times == sorted(set(times))


def test_a_payment_someone_works_on_does_not_move_by_itself() -> None:
    story = Story().hears("allow clear silence taken held")
    assert (story.payment.state, story.told) == (SUSPENDED, ["PaymentSuspended"])


@pytest.mark.parametrize(
    ("known", "answer", "state", "told"),
    [
        ("clear", "declined", REJECTED, ["PaymentResumed", *REJECTION]),
        ("held", "listed!", BLOCKING, ["PaymentResumed", *BLOCK]),
        ("held clear", "fraud!", REJECTED, ["PaymentResumed", *REJECTION]),
        ("held clear", "fraud?", SUSPENDED, ["PaymentSuspended"]),
        ("clear", "fraud?", SUSPENDED, ["PaymentSuspended"]),
        ("", "listed!", SUSPENDED, ["PaymentSuspended"]),
        ("clear", "held", SUSPENDED, ["PaymentSuspended"]),
    ],
)
def test_what_becomes_known_while_suspended(known: str, answer: str, state: PaymentState, told: list[str]) -> None:
    story = Story().hears(f"{known} silence {answer}")
    assert (story.payment.state, story.told) == (state, told)


def test_whoever_decides_is_shown_what_is_known_by_now() -> None:
    story = Story().hears("allow clear silence taken")
    (shown,) = story.hears("held").events
    assert isinstance(shown, PaymentSuspended)
    assert (shown.evidence.fraud_outcome, shown.evidence.compliance_outcome, shown.evidence.funds_outcome) == (
        "allow",
        "clear",
        "held",
    )
    story = Story().hears("held allow silence taken")
    (shown,) = story.hears("listed!").events
    assert isinstance(shown, PaymentSuspended)
    assert shown.reasons == (InternalReason.COMPLIANCE_REVIEW,)
    assert shown.evidence.compliance_hits[0].reason == "creditor resembles Benn: one letter"


def test_events_of_one_payment_are_numbered_per_topic_without_a_gap() -> None:
    story = Story(began=False)
    numbers: dict[str, list[int]] = {}
    for word in ["order", "allow", "listed?", "held", "taken", "approve", "debtor-frozen", "reject"]:
        story.hears(word)
        for row in story.last.rows:
            numbers.setdefault(row.topic, []).append(int(row.headers["ce_sequence"]))
    assert numbers == {"payments.payment.v1": [1, 2, 3], "payments.review.v1": [1, 2, 3]}
    assert all(row.headers["ce_subject"] == PAYMENT for row in story.last.rows)
