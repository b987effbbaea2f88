"""What the rules that fired say together: evidence adds up, and orders are obeyed."""

import pytest

from schemas.fraud.events import FraudFinding, FraudOutcome
from services.fraud.domain.rulebook.judging import Verdict, judge
from tests.unit.fraud.catalogue import HEAD, compiled, rule, values

ALLOW, REVIEW, BLOCK = FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK


def verdict(*actions: str, extra: tuple[float, ...] = (), head: str = HEAD) -> Verdict:
    """Of rules that all fire, with these actions."""
    rules = (rule("true", name=f"r{place}", action=action) for place, action in enumerate(actions))
    rulebook = compiled(head + "".join(rules))
    others = [FraudFinding(rule="model", score=score, reason="so it thinks") for score in extra]
    return judge(rulebook, values(rulebook), extra=others)


@pytest.mark.parametrize(
    ("scores", "score", "outcome"),
    [
        ([], 0.0, ALLOW),
        ([0.4999], 0.4999, ALLOW),
        ([0.5], 0.5, REVIEW),
        ([0.3, 0.3], 0.51, REVIEW),
        ([0.8999], 0.8999, REVIEW),
        ([0.9], 0.9, BLOCK),
        ([0.7, 0.6, 0.2], 0.904, BLOCK),
        ([0, 0], 0.0, ALLOW),
        ([0.99, 0.99, 0.99], 1.0, BLOCK),
    ],
)
def test_findings_add_up_as_independent_evidence_does(scores: list[float], score: float, outcome: FraudOutcome) -> None:
    found = verdict(*(f"score {one}" for one in scores))
    assert abs(found.score - score) < 1e-9
    assert found.outcome is outcome
    assert len(found.findings) == len(scores)


@pytest.mark.parametrize(
    ("actions", "outcome"),
    [
        (["block"], BLOCK),
        (["allow"], ALLOW),
        (["review"], REVIEW),
        (["block", "allow"], BLOCK),
        (["allow", "review"], ALLOW),
        (["allow", "score 0.95"], ALLOW),
        (["review", "score 0.95"], BLOCK),
        (["review", "score 0.1"], REVIEW),
        (["review", "block"], BLOCK),
    ],
)
def test_what_rules_order_is_obeyed(actions: list[str], outcome: FraudOutcome) -> None:
    assert verdict(*actions).outcome is outcome
    assert verdict(*reversed(actions)).outcome is outcome


def test_orders_leave_the_score_as_it_is() -> None:
    assert verdict("block", "allow", "review", "score 0.3").score == 0.3


def test_orders_come_first_and_then_the_strongest_evidence() -> None:
    found = verdict("score 0.1", "review", "score 0.6", "allow", "block", "score 0.3")
    assert [finding.rule for finding in found.findings] == ["r4", "r3", "r1", "r2", "r5", "r0"]


def test_what_others_found_is_evidence_too() -> None:
    found = verdict("score 0.2", extra=(0.5,))
    assert (found.score, found.outcome) == (0.6, REVIEW)
    assert [finding.rule for finding in found.findings] == ["model", "r0"]
    assert verdict(extra=(0.9,)).outcome is BLOCK
    assert verdict("allow", extra=(0.9,)).outcome is ALLOW


def test_the_thresholds_are_the_rulebooks() -> None:
    assert verdict("score 0.1", head="threshold block 0.2 threshold review 0.1 ").outcome is REVIEW
    assert verdict("score 0.2", head="threshold block 0.2 threshold review 0.1 ").outcome is BLOCK
