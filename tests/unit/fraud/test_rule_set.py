"""What all rules say together: the score, the outcome, and under which version."""

import pytest
from pydantic import ValidationError

from schemas.fraud.events import FraudOutcome
from schemas.payments.events import Channel
from services.fraud.domain.euros import rough_cents
from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits
from services.fraud.domain.rule_set import RULES_VERSION, RuleName, RuleSet, judge, rule_set
from services.fraud.domain.rules.finding import Finding
from services.fraud.settings import FraudSettings
from tests.unit.fraud.past import facts


def with_scores(*scores: float, limits: Limits | None = None) -> RuleSet:
    """Rules that find something of these scores, whatever the payment is."""
    names = list(RuleName)

    def rule(score: float) -> Finding:
        return Finding(score=score, reason=f"{score}")

    def found(score: float) -> object:
        return lambda facts, limits: rule(score)

    rules = [(name, found(score)) for name, score in zip(names, scores, strict=False)]
    return RuleSet(version="test", limits=limits or Limits(), rules=rules)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "score", "outcome"),
    [
        ([], 0.0, FraudOutcome.ALLOW),
        ([0.4999], 0.4999, FraudOutcome.ALLOW),
        ([0.5], 0.5, FraudOutcome.REVIEW),
        ([0.3, 0.3], 0.51, FraudOutcome.REVIEW),
        ([0.8999], 0.8999, FraudOutcome.REVIEW),
        ([0.9], 0.9, FraudOutcome.BLOCK),
        ([0.7, 0.6, 0.2], 0.904, FraudOutcome.BLOCK),
        ([0.0, 0.0], 0.0, FraudOutcome.ALLOW),
        ([0.99, 0.99, 0.99], 1.0, FraudOutcome.BLOCK),
    ],
)
def test_findings_add_up_as_independent_evidence_does(scores: list[float], score: float, outcome: FraudOutcome) -> None:
    verdict = judge(facts(), with_scores(*scores))
    assert abs(verdict.score - score) < 1e-9
    assert verdict.outcome is outcome
    assert len(verdict.findings) == len(scores)


def test_the_strongest_finding_comes_first() -> None:
    assert [finding.score for finding in judge(facts(), with_scores(0.1, 0.6, 0.3)).findings] == [0.6, 0.3, 0.1]


def test_the_thresholds_are_limits_like_all_others() -> None:
    strict = Limits(review_score=0.1, block_score=0.2)
    assert judge(facts(), with_scores(0.1, limits=strict)).outcome is FraudOutcome.REVIEW
    assert judge(facts(), with_scores(0.2, limits=strict)).outcome is FraudOutcome.BLOCK


def over_limit() -> Facts:
    return facts(230_00, channel=Channel.CARD)


def test_a_rule_that_is_off_finds_nothing() -> None:
    assert judge(over_limit(), rule_set()).findings[0].rule == RuleName.AMOUNT_OVER_LIMIT
    assert judge(over_limit(), rule_set(without={RuleName.AMOUNT_OVER_LIMIT})).findings == ()


def test_a_limit_that_is_set_replaces_the_default() -> None:
    settings = FraudSettings(database_url="postgresql://nowhere", limits={"card_amount_cents": 300_00})
    assert judge(over_limit(), settings.rule_set).findings == ()


def test_limits_of_both_kinds_can_be_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_LIMITS", '{"card_amount_cents": 30000, "block_score": 0.75, "card_average_factor": 4}')
    limits = FraudSettings(database_url="postgresql://nowhere").rule_set.limits
    assert (limits.card_amount_cents, limits.block_score, limits.card_average_factor) == (300_00, 0.75, 4.0)


def test_whatever_differs_from_the_defaults_marks_the_version() -> None:
    """An assessment names the rules it was made with: two sets that decide differently must not share a name."""
    versions = [
        rule_set().version,
        rule_set(Limits(card_amount_cents=1)).version,
        rule_set(Limits(card_amount_cents=2)).version,
        rule_set(without={RuleName.FAN_IN}).version,
        rule_set(without={RuleName.FAN_OUT}).version,
    ]
    assert versions[0] == RULES_VERSION
    assert len(set(versions)) == len(versions)
    assert rule_set(Limits()).version == rule_set(without=()).version
    both = {RuleName.FAN_IN, RuleName.FAN_OUT}
    assert rule_set(without=both).version == rule_set(without=sorted(both, reverse=True)).version


@pytest.mark.parametrize("limits", [{"card_amount": 1.0}, {"debtor_count_1h": 1.5}])
def test_a_limit_that_does_not_exist_or_is_no_whole_number_is_refused_at_the_start(limits: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        FraudSettings(database_url="postgresql://nowhere", limits=limits)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "cents"),
    [(10_00, "EUR", 1_000), (118_00, "USD", 10_000), (18_400, "JPY", 10_000), (130_000, "BTC", 10_000), (5, "QQQ", 5)],
)
def test_limits_hold_in_every_currency_by_a_rough_rate(amount_minor: int, currency: str, cents: int) -> None:
    assert rough_cents(amount_minor, currency) == cents
