"""Nothing is known before its time: labels that could not have come yet change no value and no score."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.common.record import replace
from services.fraud import rulebooks
from services.fraud.domain.history import MICROS_PER_DAY
from services.fraud.laboratory import scoring, training
from services.fraud.laboratory.scoring import Replayed
from services.fraud.laboratory.training import FIELDS
from services.fraud.laboratory.transactions import Transactions
from tests.unit.fraud import cards

Array = np.ndarray[Any, Any]
DAYS = 60
PAYMENTS = 900


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Transactions:
    return cards.file_of(cards.rows(PAYMENTS, days=DAYS), tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="module")
def once(given: Transactions) -> Replayed:
    return replayed(given)


def replayed(given: Transactions, label_delay_days: int = 7) -> Replayed:
    return scoring.replay(given, rulebooks.shipped(), label_delay_days=label_delay_days)


def with_others(given: Transactions, since_micros: int, how: str) -> Transactions:
    """The same payments, with other labels on all of them after a moment."""
    is_later = given.micros > since_micros
    labels = given.labels.copy()
    if how == "flipped":
        labels[is_later] = 1 - labels[is_later]
    elif how == "shuffled":
        labels[is_later] = np.random.default_rng(1).permutation(labels[is_later])
    else:
        labels[is_later] = -1
    assert (labels != given.labels).any()
    return replace(given, labels=labels)


def day(number: int) -> int:
    return int(cards.BEGINNING.timestamp()) * 1_000_000 + number * MICROS_PER_DAY


def until(one: Replayed, micros: int) -> Array:
    return one.known.micros <= micros


@pytest.mark.parametrize("how", ["flipped", "shuffled", "unknown"])
@pytest.mark.parametrize("delay", [7, 14])
def test_labels_younger_than_their_delay_change_no_value_and_no_score(
    given: Transactions, once: Replayed, how: str, delay: int
) -> None:
    """Whoever scores a payment knows the labels of payments that are a delay older, and no others."""
    now = day(45)
    before = once if delay == 7 else replayed(given, delay)
    after = replayed(with_others(given, now - delay * MICROS_PER_DAY, how), delay)
    seen = until(before, now)
    assert 0 < seen.sum() < PAYMENTS
    np.testing.assert_array_equal(before.known.rows[seen], after.known.rows[seen])
    np.testing.assert_array_equal(before.rule_scores[seen], after.rule_scores[seen])
    scores, others = (scoring.score(one, until_micros=day(DAYS)) for one in (before, after))
    np.testing.assert_array_equal(scores[seen], others[seen])
    assert (scores[~seen] != others[~seen]).any(), "later ones they do change, or this would show nothing"


def test_labels_older_than_their_delay_do_change_values(given: Transactions, once: Replayed) -> None:
    now = day(45)
    after = replayed(with_others(given, now - 8 * MICROS_PER_DAY, "flipped"))
    frauds = [FIELDS.index(name) for name in ("debtor_frauds_1d", "creditor_frauds_7d")]
    seen = until(once, now)
    assert (once.known.rows[seen][:, frauds] != after.known.rows[seen][:, frauds]).any()


@pytest.mark.parametrize("last_day", [30, 45])
def test_labels_after_the_last_day_of_training_change_no_model(once: Replayed, last_day: int) -> None:
    """They do change features, when they come; so the features are kept as they were."""
    known = once.known
    others = np.where(known.micros >= day(last_day), 1 - known.is_fraud, known.is_fraud)
    margins = training.scores_over_time(known, until_micros=day(last_day))
    np.testing.assert_array_equal(
        margins, training.scores_over_time(replace(known, is_fraud=others), until_micros=day(last_day))
    )
    assert not np.isnan(margins[known.micros >= day(last_day) + 7 * MICROS_PER_DAY]).any()
    later = training.scores_over_time(replace(known, is_fraud=others), until_micros=day(DAYS))
    assert (margins != later).any()


def test_no_payment_is_scored_by_a_model_that_learnt_from_what_came_less_than_a_delay_before(
    once: Replayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[int] = []
    fit = training.fit

    class Watched:
        def __init__(self, newest: int) -> None:
            self.newest = newest

        def predict(self, rows: Sequence[Any], **_: Any) -> Array:
            return np.full(len(rows), float(self.newest))

    def watched(known: training.Known, *_: Any) -> Watched:
        fit(known)
        learnt.append(int(known.micros[-1]))
        return Watched(learnt[-1])

    monkeypatch.setattr(training, "fit", watched)
    newest = training.scores_over_time(once.known, until_micros=day(DAYS), period_days=10)
    is_scored = ~np.isnan(newest)
    assert len(learnt) > 1
    assert (once.known.micros[is_scored] - newest[is_scored] >= 7 * MICROS_PER_DAY).all()


def test_what_no_model_had_learnt_enough_for_is_scored_by_the_rules_alone(once: Replayed) -> None:
    scores = scoring.score(once, until_micros=day(DAYS))
    first = once.known.micros < day(14)
    np.testing.assert_array_equal(scores[first], once.rule_scores[first])
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_order_of_the_rows_in_a_file_changes_no_score(given: Transactions, once: Replayed, tmp_path: Path) -> None:
    columns = cards.rows(PAYMENTS, days=DAYS)
    order = np.random.default_rng(2).permutation(PAYMENTS)
    mixed = cards.file_of({name: [column[n] for n in order] for name, column in columns.items()}, tmp_path)
    assert mixed.unsorted
    again = replayed(mixed)
    np.testing.assert_array_equal(np.sort(mixed.micros), np.sort(given.micros))
    if len(set(given.micros.tolist())) == PAYMENTS:
        np.testing.assert_array_equal(once.known.rows, again.known.rows)
