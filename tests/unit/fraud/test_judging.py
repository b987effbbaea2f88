"""Who judges: rules with a model or without, why the model says so, and others in the shadow, without effect."""

import numpy as np
import pytest

from libs.common.record import replace
from schemas.fraud.events import FraudOutcome, Label
from services.fraud.domain import features
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.judging import CATALOGUE, MODEL_MISSING, RULEBOOK_MISSING, Judge
from services.fraud.domain.knowledge import Panel
from services.fraud.domain.model import Model
from tests.unit.fraud.models import FIELDS, small_model
from tests.unit.fraud.past import (
    ANN,
    DAY,
    NO_RULES,
    SHOP,
    START,
    Desk,
    labelled,
    moment_of,
    order,
    payment_id,
    rulebook,
)

BY_MODEL = rulebook(
    """
    rule model "The model says so." when model_score >= 0.5 score 0.6 because "{model_score:.2f} by the model"
    rule without "No model says anything." when model_score is missing score 0.1 because "no model"
    rule large "It is a lot." when amount >= 500 score 0.2 because "{amount} EUR"
    """
)
BLOCK_ALL = rulebook('rule all "Whatever it is." when amount >= 0 block because "everything"')
SMALL, LARGE = order(10_00), order(900_00)


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model()


def test_the_score_of_the_model_is_a_field_of_rules(model: Model) -> None:
    judge = Judge(BY_MODEL, model)
    small, large = (judge.judge(moment_of(ordered)) for ordered in (SMALL, LARGE))
    assert small.model_score is not None and large.model_score is not None
    assert small.model_score < 0.5 <= large.model_score
    assert [finding.rule for finding in small.verdict.findings] == []
    assert [finding.rule for finding in large.verdict.findings] == ["model", "large"]
    assert large.verdict.outcome is FraudOutcome.REVIEW


def test_the_judge_keeps_the_values_that_rules_and_model_go_by_and_those_told_besides(model: Model) -> None:
    judge = Judge(BY_MODEL, model, also=["hour"])
    assert judge.fields == tuple(sorted({"amount", "hour", *FIELDS}))
    judgement = judge.judge(moment_of(LARGE))
    values = dict(zip(judge.fields, judgement.values, strict=True))
    assert (values["amount"], values["hour"]) == (900.0, 12)
    assert judgement.model_score == model.score([values[name] for name in model.fields])


def test_a_rule_that_goes_by_the_model_says_what_moved_it_strongest_first(model: Model) -> None:
    judge = Judge(BY_MODEL, model)
    judgement = judge.judge(moment_of(LARGE))
    found = {finding.rule: finding.reason for finding in judgement.verdict.findings}
    reason, _, why = found["model"].partition(": ")
    assert reason == f"{judgement.model_score:.2f} by the model"
    strongest = [one for one in judge.contributions(judgement.values) if one.contribution > 0][:3]
    shown = ["unknown" if one.value is None else f"{one.value:.6g}" for one in strongest]
    assert why == ", ".join(f"{one.field} {value}" for one, value in zip(strongest, shown, strict=True))
    assert why.startswith("amount 900")
    assert found["large"] == "900 EUR"


def test_rules_by_lets_that_go_by_the_model_say_it_too(model: Model) -> None:
    rules = rulebook('let risky = model_score >= 0.5\nrule lets "By a let." when risky score 0.6 because "risky"')
    (finding,) = Judge(rules, model).judge(moment_of(LARGE)).verdict.findings
    assert finding.reason.startswith("risky: amount 900")


def test_without_a_model_its_score_is_missing_and_rules_judge_alone() -> None:
    judge = Judge(BY_MODEL)
    judgement = judge.judge(moment_of(LARGE))
    assert judgement.model_score is None
    assert {finding.rule for finding in judgement.verdict.findings} == {"without", "large"}
    assert judge.contributions(judgement.values) == []


def test_a_model_that_should_judge_and_cannot_is_told_with_every_answer_and_counts_for_nothing() -> None:
    judge, alone = Judge(BY_MODEL, missing="it can't be read"), Judge(BY_MODEL)
    for ordered in (SMALL, LARGE):
        verdict, without = (one.judge(moment_of(ordered)).verdict for one in (judge, alone))
        *findings, last = verdict.findings
        assert (last.rule, last.score, last.reason) == (MODEL_MISSING, 0.0, "it can't be read")
        assert (tuple(findings), verdict.score, verdict.outcome) == (without.findings, without.score, without.outcome)


def test_rules_that_stand_in_for_a_rulebook_that_cannot_be_read_let_nothing_pass_unseen() -> None:
    """Nobody chose them for this: they know none of the lists that the others went by."""
    event = Desk(Judge(NO_RULES, instead_of="0123456789ab")).assess(1, order())
    assert event.outcome is FraudOutcome.REVIEW
    assert [finding.rule for finding in event.findings] == [RULEBOOK_MISSING]
    assert "0123456789ab" in event.findings[0].reason


def test_that_the_model_is_missing_is_told_and_counted_in_decisions() -> None:
    desk = Desk(Judge(NO_RULES, missing="it can't be read"))
    event = desk.assess(1, SMALL)
    assert [finding.rule for finding in event.findings] == [MODEL_MISSING]
    assert (event.outcome, event.model_version, event.model_score) == (FraudOutcome.ALLOW, None, None)
    assert desk.tally(MODEL_MISSING) == (1, 0, 0)


def test_a_decision_names_the_model_and_its_score(model: Model) -> None:
    desk = Desk(Judge(BY_MODEL, model))
    event = desk.assess(1, LARGE)
    known = desk.assessments[payment_id(1)]
    assert (event.model_version, known.model_version) == (model.version, model.version)
    assert (
        event.model_score
        == known.model_score
        == model.score([known.values[desk.panel.live.fields.index(name)] for name in FIELDS])
    )


def test_every_field_of_rules_is_a_feature_or_the_score_of_the_model() -> None:
    assert CATALOGUE.keys() - features.FEATURES.keys() == {"model_score"}
    assert CATALOGUE["model_score"].can_be_missing


# In the shadow


def test_what_the_shadow_answers_is_recorded_with_its_versions(model: Model) -> None:
    desk = Desk(Judge(BY_MODEL), shadows=[Judge(BLOCK_ALL), Judge(BY_MODEL, model)])
    event = desk.assess(1, LARGE)
    first, second = desk.shadow_verdicts
    assert (first.payment_id, first.rules_version, first.model_version, first.model_score) == (
        payment_id(1),
        BLOCK_ALL.version,
        None,
        None,
    )
    assert (first.outcome, first.score, first.rules) == (FraudOutcome.BLOCK, 0.0, ("all",))
    assert (second.rules_version, second.model_version) == (BY_MODEL.version, model.version)
    assert second.model_score is not None and second.rules == ("model", "large")
    assert (event.rules_version, event.model_version) == (BY_MODEL.version, None)


def test_the_shadow_changes_no_answer_no_history_and_no_count(model: Model) -> None:
    desks = [Desk(Judge(BY_MODEL), shadows=shadows) for shadows in ((), (Judge(BLOCK_ALL), Judge(BY_MODEL, model)))]
    for desk in desks:
        for number in range(12):
            desk.assess(number, order(number * 100_00, at=START + number * DAY / 4))
        desk.hears(labelled(3), labelled(4, Label.GENUINE))
    alone, watched = desks
    assert len(watched.shadow_verdicts) == 24 and not alone.shadow_verdicts
    assert {verdict.outcome for verdict in watched.shadow_verdicts} >= {FraudOutcome.BLOCK}
    assert (alone.entities, alone.tallies) == (watched.entities, watched.tallies)
    assert alone.assessments == watched.assessments
    for kind, id_ in ((EntityKind.DEBTOR, ANN), (EntityKind.CREDITOR, SHOP)):
        assert not watched.entity(kind, id_).blocked.times, "what only the shadow blocked is a habit"


def test_the_shadow_judges_by_the_past_that_the_live_judge_saw() -> None:
    rules = rulebook('rule count "How many." when debtor_attempts_1d >= 1 score 0.1 because "{debtor_attempts_1d}"')
    desk = Desk(Judge(NO_RULES, also=["debtor_attempts_1d"]), shadows=[Judge(rules)])
    for number in range(3):
        desk.assess(number, order())
        assert desk.values(number)["debtor_attempts_1d"] == number + 1
    assert [verdict.rules for verdict in desk.shadow_verdicts] == [("count",)] * 3


def test_a_payment_asked_about_again_is_judged_in_the_shadow_no_second_time() -> None:
    desk = Desk(Judge(NO_RULES), shadows=[Judge(BLOCK_ALL)])
    desk.assess(1, SMALL)
    desk.panel = Panel(live=Judge(BLOCK_ALL), shadows=desk.panel.shadows)
    assert desk.assess(1, SMALL).outcome is FraudOutcome.ALLOW
    assert len(desk.shadow_verdicts) == 1


def test_scores_of_many_rows_at_once_are_those_of_each(model: Model) -> None:
    rows = np.array([[10.0, 0.0, 5.0], [900.0, 1.0, np.nan], [300.0, 0.0, 0.0]])
    one_by_one = [model.score([None if np.isnan(value) else value for value in row]) for row in rows.tolist()]
    np.testing.assert_allclose(model.scores(rows), one_by_one, rtol=0, atol=1e-12)


def test_a_judge_is_a_pure_function_of_the_moment(model: Model) -> None:
    judge = Judge(BY_MODEL, model)
    moment = moment_of(LARGE)
    assert judge.judge(moment) == judge.judge(moment) == judge.judge(moment_of(replace(LARGE)))
