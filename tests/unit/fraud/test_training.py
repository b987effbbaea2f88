"""Training: folds that see no future, the published measures, chances that come true, and the same model again."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from libs.common.record import replace
from services.fraud.domain.history import MICROS_PER_DAY
from services.fraud.domain.model import Model, pack
from services.fraud.laboratory import training
from services.fraud.laboratory.training import FIELDS, FOLDS, Known, TrainingFault, card_precision, train, validate
from tests.unit.fraud.models import FEW, artifact, known


def day_of(micros: Any) -> Any:
    return micros // MICROS_PER_DAY


# Folds


@pytest.mark.parametrize(
    ("days", "delay", "folds"), [(120, 7, FOLDS), (120, 14, FOLDS), (30, 7, 2), (22, 7, 1), (21, 7, 0)]
)
def test_each_week_is_measured_by_what_was_known_a_delay_before_it(days: int, delay: int, folds: int) -> None:
    micros = np.arange(days * 24) * (MICROS_PER_DAY // 24)
    one = known(len(micros), label_delay_days=delay, micros=micros)
    one = replace(one, is_fraud=(np.arange(len(micros)) % 9 == 0).astype(np.int8))
    found = training._folds(one)
    assert len(found) == folds
    ends = [int(one.micros[-1]) + 1]
    for trained, tested in found:
        assert int(tested.micros[0]) - int(trained.micros[-1]) > delay * MICROS_PER_DAY
        assert int(trained.micros[-1]) - int(trained.micros[0]) < training.TRAIN_DAYS * MICROS_PER_DAY
        assert int(tested.micros[-1]) < ends[-1]
        ends.append(int(tested.micros[0]))
    if found:
        lengths = {(end - start) // MICROS_PER_DAY for end, start in pairwise(ends)}
        assert lengths <= {6, 7}


# Measures


def measured(*rows: tuple[int, int, float, int]) -> tuple[Known, Any]:
    """Payments as day, card, score and truth."""
    days, card_numbers, scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    one = known(
        len(rows),
        micros=days * MICROS_PER_DAY,
        cards=card_numbers,
        is_fraud=truth.astype(np.int8),
        rows=np.zeros((len(rows), 3)),
    )
    return one, scores


def test_card_precision_is_the_share_of_compromised_cards_among_the_most_suspicious_of_each_day() -> None:
    """The Fraud Detection Handbook's card_precision_top_k, by hand."""
    one, scores = measured(
        # Day 1: of cards by their highest score 1 (.9), 2 (.8), 3 (.7), two are looked at; 1 is compromised,
        # though by another payment than the one with the high score.
        (1, 1, 0.9, 0), (1, 1, 0.1, 1), (1, 2, 0.8, 0), (1, 3, 0.7, 1),
        # Day 2: card 1 is known already, and so 3 and 2 are looked at; 3 is compromised.
        (2, 1, 0.99, 1), (2, 3, 0.5, 1), (2, 2, 0.4, 0), (2, 4, 0.3, 1),
        # Day 3: 1 and 3 are known; 4 is looked at, and nobody else is there.
        (3, 1, 0.9, 1), (3, 3, 0.8, 1), (3, 4, 0.2, 1),
    )  # fmt: skip
    known = one.micros, one.cards, one.is_fraud
    assert card_precision(*known, scores, cards_a_day=2) == pytest.approx((1 / 2 + 1 / 2 + 1 / 2) / 3)
    assert card_precision(*known, scores, cards_a_day=1) == pytest.approx((1 + 1 + 1) / 3)
    assert card_precision(*known, scores) == pytest.approx((2 + 1 + 0) / 100 / 3)


def test_a_perfect_order_measures_perfectly() -> None:
    one = known(500)
    found = training.measure(one, one.is_fraud.astype(float))
    assert (found["auc"], found["average_precision"]) == (1.0, 1.0)
    assert 0 < found["card_precision_100"] < 1


# A model


def test_what_is_learnt_is_better_than_chance_on_weeks_not_seen() -> None:
    metrics = artifact().card.metrics
    assert metrics["auc"] > 0.75
    assert metrics["average_precision"] > 2 * known().is_fraud.mean()


def test_the_chances_come_true() -> None:
    """Of payments never seen, those of some score are fraud about that often."""
    model, fresh = Model(pack(artifact())), known(20_000, seed=9)
    scores = model.scores(fresh.rows)
    assert abs(scores.mean() - fresh.is_fraud.mean()) < 0.03
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        there = (scores >= low) & (scores < high)
        assert there.sum() > 200
        assert abs(scores[there].mean() - fresh.is_fraud[there].mean()) < 0.1


def test_the_same_data_give_the_same_model() -> None:
    again = train(known(), name="small", candidates=[FEW])
    assert Model(pack(again)).version == Model(pack(artifact())).version
    other = train(known(seed=2), name="small", candidates=[FEW])
    assert Model(pack(other)).version != Model(pack(artifact())).version


def test_the_parameters_that_did_best_are_taken() -> None:
    blind: training.Parameters = {**FEW, "num_iterations": 1, "num_leaves": 2, "learning_rate": 0.001}
    assert train(known(), name="small", candidates=[blind, FEW]).card.parameters == FEW


def test_models_go_by_features_that_exist_and_are_numbers() -> None:
    Model(pack(replace(artifact(), fields=FIELDS[:3])))
    assert len(set(FIELDS)) == len(FIELDS)


def test_models_go_by_nothing_that_comes_from_beside_the_decisions() -> None:
    """When a snapshot comes is chance: what is learnt from a file would not be what is known live."""
    assert not any("_snapshot_" in field for field in FIELDS)


def test_of_many_weeks_the_newest_are_learnt_from() -> None:
    one = known(4_000, days=120)
    card = train(one, name="new", candidates=[FEW]).card
    first = np.datetime64(card.trained_from, "D").astype(int)
    assert first == day_of(int(one.micros[-1])) - training.TRAIN_DAYS
    assert card.payments < len(one)


# Too little


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (known(0), "there are no payments to learn from"),
        (known(1_000, days=10), "there must be 14 days of payments, with fraud, after those it learns from"),
        (known(1_000, days=20), "there must be 14 days of payments, with fraud, after those it learns from"),
        (
            known(1_000, days=30, label_delay_days=21),
            "there must be 28 days of payments, with fraud, after those it learns from",
        ),
        (known(1_000, fraud_share=0.0), "there must be 14 days of payments, with fraud, after those it learns from"),
        (replace(known(1_000), is_fraud=np.ones(1_000, dtype=np.int8)), "there must be both fraud and genuine"),
    ],
)
def test_too_little_to_learn_from_is_a_fault_that_says_so(given: Known, told: str) -> None:
    with pytest.raises(TrainingFault) as found:
        train(given, name="none", candidates=[FEW])
    assert told in str(found.value)


def test_trees_need_both_kinds() -> None:
    for truth in (np.zeros(50), np.ones(50)):
        with pytest.raises(TrainingFault, match="both fraud and genuine"):
            training.fit(replace(known(50), is_fraud=truth.astype(np.int8)), FEW)


def test_weeks_without_any_fraud_are_left_out_of_the_measure() -> None:
    one = known(3_000)
    newest = one.micros[-1] - 7 * MICROS_PER_DAY
    calm = replace(one, is_fraud=np.where(one.micros >= newest, 0, one.is_fraud))
    assert len(training._folds(calm)) == len(training._folds(one)) - 1
    assert validate(calm, FEW).is_fraud.any()
