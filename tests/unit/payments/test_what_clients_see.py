"""Nothing a client sees may tell that someone looks at a payment."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.queries import payment_view
from tests.unit.payments.story import WORDS, Story
from tests.unit.payments.test_any_journey import hear

TELLING = (
    *("suspend", "review", "resum", "case", "fraud", "complian", "screen", "sanction", "listed", "hit", "evidence"),
    *("frozen", "asked", "overdue", "deadline", "blocking", "posting", "internal", "velocity", "eve", "finn"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted({*WORDS, "wait"} - {"order"})), max_size=20))
def test_no_word_of_a_review_reaches_a_client(said: list[str]) -> None:
    story = Story()
    for word in said:
        hear(story, word)
    view = msgspec.json.encode(payment_view(story.payment, is_staff=False)).decode()
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
