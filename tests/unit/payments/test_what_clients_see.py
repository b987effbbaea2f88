"""Nothing a client sees may tell that someone looks at a payment."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.payments.domain.payment import Capture
from services.payments.queries import payment_view
from tests.unit.payments.story import CAPTURE, REFUND_WORDS, START, WORDS, Story
from tests.unit.payments.test_any_journey import hear

TELLING = (
    *("suspend", "review", "resum", "case", "fraud", "complian", "screen", "sanction", "listed", "hit", "evidence"),
    *("frozen", "asked", "overdue", "deadline", "blocking", "posting", "internal", "velocity", "eve", "finn"),
)
PROCESSING, NOT_CAPTURABLE, NOT_CANCELLABLE = "processing", "payment_not_capturable", "payment_not_cancellable"


def seen(story: Story, *, is_staff: bool = False) -> dict[str, Any]:
    """What is shown of a payment now."""
    return payment_view(story.payment, story.state.refunds.values(), is_staff=is_staff, now=story.now)


def authorised() -> Story:
    """A payment that its client may capture, a second after it was told so: a screening would be a newer one."""
    story = Story(capture=Capture.MANUAL).hears("allow clear held")
    story.now += timedelta(seconds=1)
    return story


@settings(max_examples=300)
@given(st.lists(st.sampled_from(sorted({*WORDS, *REFUND_WORDS, "wait"})), max_size=20), st.sampled_from(Capture))
def test_no_word_of_a_review_reaches_a_client(said: list[str], capture: Capture) -> None:
    story = Story(capture=capture)
    for word in said:
        hear(story, word)
    view = msgspec.json.encode(seen(story)).decode()
    assert not [word for word in TELLING if word in view]


@pytest.mark.parametrize(
    ("looked_at", "not_looked_at"),
    [
        ("", "fraud?"),
        ("", "listed!"),
        ("", "fraud? listed?"),
        ("held", "fraud? clear held"),
        ("held", "allow listed? held taken"),
        ("held", "listed! held"),
        ("", "silence"),
        ("", "silence taken approve"),
        ("held", "held silence taken allow listed?"),
        ("cancel", "listed? cancel"),
        ("cancel", "listed! cancel"),
        ("cancel", "silence cancel"),
        ("cancel held", "allow listed? cancel held"),
        ("allow clear held posted", "allow clear held debtor-frozen approve posted"),
        ("declined", "fraud? declined"),
        ("declined", "fraud? clear silence taken approve declined"),
    ],
)
def test_a_payment_that_is_looked_at_looks_like_one_that_is_not(looked_at: str, not_looked_at: str) -> None:
    one, other = (seen(Story().hears(words)) for words in (looked_at, not_looked_at))
    times = {"ended_at", "timeline"}
    assert {k: v for k, v in one.items() if k not in times} == {k: v for k, v in other.items() if k not in times}
    assert [(s["what"], s["detail"]) for s in one["timeline"]] == [(s["what"], s["detail"]) for s in other["timeline"]]


@pytest.mark.parametrize(
    ("looked_at", "not_looked_at"),
    [
        ("", "listed?"),
        ("", "listed!"),
        ("", "listed? taken approve"),
        ("capture-part", "listed? capture-part"),
        ("capture-part", "listed? capture-part taken approve"),
        ("capture-part", "listed! capture-part"),
        ("capture-part part-posted", "listed? capture-part approve part-posted"),
        ("capture-part part-posted", "listed? approve capture-part debtor-frozen approve part-posted"),
    ],
)
def test_an_authorised_payment_that_is_looked_at_looks_like_one_that_is_not(looked_at: str, not_looked_at: str) -> None:
    one, other = (seen(authorised().hears(words)) for words in (looked_at, not_looked_at))
    assert one == other
    assert looked_at or one["state"] == "authorised"


def passes(story: Story, time: timedelta) -> None:
    """Time passes, and the sweep looks at the payment whenever that is due."""
    until = story.now + time
    while story.payment.check_at is not None and story.payment.check_at <= until:
        story.hears("wait")
    story.now = until


class Shop:
    """Asks the same about two authorised payments, of which people look at one, and compares all that it is told."""

    def __init__(self, plain: Story, looked_at: Story) -> None:
        self.stories = (plain, looked_at)
        self.answers: list[tuple[str | None, str]] = []
        """To what it asked: why not, and the state it then saw."""
        self._compare()

    @property
    def is_either_over(self) -> bool:
        return any(story.payment.has_ended for story in self.stories)

    def does(self, word: str) -> None:
        for story in self.stories:
            if word in TIMES:
                passes(story, TIMES[word](story))
            else:
                story.hears(word)
        if word in TIMES and self.is_either_over:
            return
        self.answers += () if word in TIMES else (self._compare(),)

    def _compare(self) -> tuple[str | None, str]:
        (one, seen_of_one), (other, seen_of_other) = ((story.refusal, seen(story)) for story in self.stories)
        assert (one, seen_of_one) == (other, seen_of_other)
        return one, seen_of_one["state"]


TIMES: dict[str, Callable[[Story], timedelta]] = {
    "second": lambda story: timedelta(seconds=1),
    "day": lambda story: timedelta(days=1),
    "until-too-late": lambda story: max(timedelta(0), START + CAPTURE - story.now),
}
ASKED = ("cancel", "capture", "capture-part", "refund")
PEOPLE = ("taken", "clear", "listed?", "listed!", "approve", "reject", "block")


@settings(max_examples=300)
@given(
    st.sampled_from(["listed?", "listed? taken", "listed!", "listed? listed!"]),
    st.lists(st.sampled_from([*ASKED, *ASKED, *TIMES, *(f"people {word}" for word in PEOPLE)]), max_size=12),
)
@example("listed?", ["cancel", "capture", "cancel", "second"])
@example("listed?", ["until-too-late", "cancel", "capture", "second"])
@example("listed?", ["second", "people clear", "cancel", "capture"])
@example("listed? taken", ["second", "people clear", "cancel", "capture"])
@example("listed!", ["day", "capture", "day", "cancel"])
def test_until_the_end_no_answer_tells_which_of_two_authorised_payments_is_looked_at(
    doubt: str, said: list[str]
) -> None:
    plain, looked_at = authorised(), authorised().hears(doubt)
    shop = Shop(plain, looked_at)
    for word in said:
        if word.startswith("people "):
            looked_at.hears(word.removeprefix("people "))
        else:
            shop.does(word)
        if shop.is_either_over:
            return


@pytest.mark.parametrize("doubt", ["listed?", "listed? taken", "listed!"])
@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ("capture capture cancel", [(None, PROCESSING), (NOT_CAPTURABLE, PROCESSING), (NOT_CANCELLABLE, PROCESSING)]),
        ("cancel capture cancel", [(None, PROCESSING), (NOT_CAPTURABLE, PROCESSING), (None, PROCESSING)]),
        ("refund", [("payment_not_settled", "authorised")]),
    ],
)
def test_what_a_client_asks_about_an_authorised_payment_is_answered_alike(
    said: str, answers: list[tuple[str | None, str]], doubt: str
) -> None:
    shop = Shop(authorised(), authorised().hears(doubt))
    for word in said.split():
        shop.does(word)
    assert (shop.answers, shop.is_either_over) == (answers, False)


@pytest.mark.parametrize("doubt", ["", "listed?", "listed!"])
def test_what_can_no_longer_be_captured_is_processing_until_its_end(doubt: str) -> None:
    """Whether the sweep ends it in a second, or people days later."""
    story = authorised().hears(doubt)
    story.now = START + CAPTURE - timedelta.resolution
    assert seen(story)["state"] == "authorised"
    story.now = START + CAPTURE
    assert seen(story)["state"] == PROCESSING


@pytest.mark.parametrize("until", [timedelta(seconds=1), CAPTURE])
def test_what_was_withdrawn_ends_alike_whoever_looked_at_it(until: timedelta) -> None:
    plain, looked_at = authorised(), authorised().hears("listed?")
    for story in (plain, looked_at):
        story.now += until
        story.hears("cancel")
    plain.hears("look")
    looked_at.hears("look look approve")
    assert seen(plain) == seen(looked_at)
    assert [step["what"] for step in seen(plain)["timeline"]][-2:] == ["cancel requested", "cancelled"]


@pytest.mark.parametrize("decision", ["reject", "wait"])
def test_who_has_seen_it_authorised_is_not_told_that_it_was_declined(decision: str) -> None:
    story = Story(capture=Capture.MANUAL).hears("fraud? clear held approve")
    story.now += timedelta(seconds=1)
    story.hears("listed?")
    story.now += timedelta(seconds=1)
    story.hears(f"clear wait wait {decision}" if decision == "wait" else decision)
    assert seen(story)["reason"] == "not_completed_in_time"


def test_staff_see_why() -> None:
    view = seen(Story().hears("fraud? listed? held taken reject"), is_staff=True)
    assert view["state"] == "rejected"
    assert view["internal_reason"] == "reviewer_rejected"
    assert view["evidence"]["fraud_findings"][0] == {"source": "velocity", "score": 0.7, "reason": "seven in an hour"}
    assert [step["what"] for step in view["timeline"]] == [
        *("initiated", "fraud answered", "compliance answered", "funds held", "suspended", "under review"),
        *("reviewers decided", "refused because", "rejected"),
    ]


def test_a_client_sees_the_ends_and_what_led_there_in_public_words() -> None:
    view = seen(Story().hears("allow clear held posted"))
    assert (view["state"], view["amount"], view["currency"]) == ("settled", "12.34", "EUR")
    assert [step["what"] for step in view["timeline"]] == ["initiated", "funds held", "approved", "settled"]
    view = seen(Story().hears("fraud! clear held"))
    assert (view["state"], view["reason"]) == ("rejected", "declined")
    assert [(s["what"], s["detail"]) for s in view["timeline"]][-1] == ("rejected", "declined")
