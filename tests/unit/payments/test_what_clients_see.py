"""Nothing a client sees may tell that someone looks at a payment."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.domain.payment import Capture
from services.payments.queries import payment_view
from tests.unit.payments.story import REFUND_WORDS, WORDS, Story
from tests.unit.payments.test_any_journey import hear

TELLING = (
    *("suspend", "review", "resum", "case", "fraud", "complian", "screen", "sanction", "listed", "hit", "evidence"),
    *("frozen", "asked", "overdue", "deadline", "blocking", "posting", "internal", "velocity", "eve", "finn"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted({*WORDS, *REFUND_WORDS, "wait"})), max_size=20), st.sampled_from(Capture))
def test_no_word_of_a_review_reaches_a_client(said: list[str], capture: Capture) -> None:
    story = Story(capture=capture)
    for word in said:
        hear(story, word)
    refunds = story.state.refunds.values()
    view = msgspec.json.encode(payment_view(story.payment, refunds, is_staff=False)).decode()
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
    one, other = (payment_view(Story().hears(words).payment, is_staff=False) for words in (looked_at, not_looked_at))
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
    def seen(words: str) -> dict[str, Any]:
        story = Story(capture=Capture.MANUAL).hears("allow clear held")
        story.now += timedelta(seconds=1)
        return payment_view(story.hears(words).payment, is_staff=False)

    assert seen(not_looked_at) == seen(looked_at)
    assert seen(looked_at)["state"] == ("authorised" if not looked_at else seen(looked_at)["state"])


@pytest.mark.parametrize("decision", ["reject", "wait"])
def test_who_has_seen_it_authorised_is_not_told_that_it_was_declined(decision: str) -> None:
    story = Story(capture=Capture.MANUAL).hears("fraud? clear held approve")
    story.now += timedelta(seconds=1)
    story.hears("listed?")
    story.now += timedelta(seconds=1)
    story.hears(f"clear wait wait {decision}" if decision == "wait" else decision)
    assert payment_view(story.payment, is_staff=False)["reason"] == "not_completed_in_time"


def test_staff_see_why() -> None:
    view = payment_view(Story().hears("fraud? listed? held taken reject").payment, is_staff=True)
    assert view["state"] == "rejected"
    assert view["internal_reason"] == "reviewer_rejected"
    assert view["evidence"]["fraud_findings"][0] == {"source": "velocity", "score": 0.7, "reason": "seven in an hour"}
    assert [step["what"] for step in view["timeline"]] == [
        *("initiated", "fraud answered", "compliance answered", "funds held", "suspended", "under review"),
        *("reviewers decided", "refused because", "rejected"),
    ]


def test_a_client_sees_the_ends_and_what_led_there_in_public_words() -> None:
    view = payment_view(Story().hears("allow clear held posted").payment, is_staff=False)
    assert (view["state"], view["amount"], view["currency"]) == ("settled", "12.34", "EUR")
    assert [step["what"] for step in view["timeline"]] == ["initiated", "funds held", "approved", "settled"]
    view = payment_view(Story().hears("fraud! clear held").payment, is_staff=False)
    assert (view["state"], view["reason"]) == ("rejected", "declined")
    assert [(s["what"], s["detail"]) for s in view["timeline"]][-1] == ("rejected", "declined")
