"""What staff reads in a payment's timeline: why its money was not held, not moved, or given back."""

import pytest

from schemas.accounts.events import DeclineReason, PostRefusal
from tests.unit.payments.story import Story, declined, refused
from tests.unit.payments.test_what_clients_see import seen

Line = tuple[str, str | None]


def lines(story: Story) -> list[Line]:
    """What a timeline says to staff, after the order."""
    return [(step["what"], step["detail"]) for step in seen(story, is_staff=True)["timeline"][1:]]


DECLINED = [reason for reason in DeclineReason if reason is not DeclineReason.UNKNOWN]
REFUSED = [reason for reason in PostRefusal if reason is not PostRefusal.UNKNOWN]


@pytest.mark.parametrize("reason", DECLINED)
def test_why_funds_were_declined(reason: DeclineReason) -> None:
    story = Story()
    story.decide(declined(reason, story.now))
    told = lines(story)
    assert told[0] == ("funds declined", reason.value)
    assert [what for what, _ in told[1:]] == ["refused because", "rejected"]


@pytest.mark.parametrize("reason", REFUSED)
def test_why_money_was_not_posted(reason: PostRefusal) -> None:
    story = Story().hears("allow clear held")
    before = len(lines(story))
    story.decide(refused(reason, story.now))
    assert lines(story)[before] == ("posting refused", reason.value)


def test_that_a_hold_ran_out_and_the_payment_ended_by_it() -> None:
    story = Story().hears("fraud? clear held")
    before = len(lines(story))
    assert lines(story.hears("released"))[before:] == [
        ("funds released", None),
        ("refused because", "funds_declined"),
        ("rejected", "not_completed_in_time"),
    ]


def test_that_what_was_held_for_a_payment_that_has_ended_was_given_back() -> None:
    story = Story().hears("fraud? clear held reject")
    before = len(lines(story))
    assert lines(story.hears("released"))[before:] == [("funds released", None)]
