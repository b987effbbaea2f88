"""Training: features and labels in, a model out, measured on weeks that it had not seen.

    ── train_days ──►│◄─ label delay ─►│◄─ 7 days ─►        a fold: train, wait for labels, measure
                                    ── train_days ──►│◄─ label delay ─►│◄─ 7 days ─►

What is not labelled counts as genuine, as it does where chargebacks are the only labels.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import lightgbm
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from libs.common.record import Record, replace
from services.fraud.domain import drift
from services.fraud.domain.history import LABEL_DELAY_DAYS, MICROS_PER_DAY
from services.fraud.domain.judging import MODEL_SCORE
from services.fraud.domain.model import Artifact, Card

Array = np.ndarray[Any, Any]
Parameters = Mapping[str, float | int | str]

_WINDOWS = ("1d", "7d", "30d")
FIELDS = (
    "amount",
    "is_night",
    "is_weekend",
    *(f"debtor_{aggregate}_{window}" for aggregate in ("attempts", "attempted_average") for window in _WINDOWS),
    *(f"debtor_amount_to_attempted_{window}" for window in _WINDOWS),
    *(f"debtor_frauds_{window}" for window in _WINDOWS),
    *(f"creditor_{aggregate}_{window}" for aggregate in ("attempts", "frauds", "fraud_share") for window in _WINDOWS),
    "creditor_delayed_7d",
    "debtor_amount_deviations_30d",
    "debtor_amount_to_average_7d",
    "debtor_amount_to_average_30d",
    "debtor_amount_to_max_30d",
    "debtor_fraud_share_30d",
    "debtor_max_30d",
)
"""What models go by: the published features of the Fraud Detection Handbook, and habits beside them."""

ROUNDS = 200
PARAMETERS: Parameters = {
    "learning_rate": 0.05,
    "max_depth": 5,
    "num_leaves": 20,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "num_iterations": ROUNDS,
}
"""Chosen by prequential validation on May to July 2018 of the Handbook's data: docs/fraud-files.md."""
CANDIDATES: Sequence[Parameters] = (
    PARAMETERS,
    {**PARAMETERS, "max_depth": 3, "num_leaves": 8, "learning_rate": 0.1},
    {**PARAMETERS, "min_data_in_leaf": 150},
    {**PARAMETERS, "max_depth": 7, "num_leaves": 40, "learning_rate": 0.03, "num_iterations": 300},
)
_FIXED: Parameters = {
    "objective": "binary",
    "verbosity": -1,
    "seed": 20180401,
    "deterministic": True,
    "force_row_wise": True,
}
TRAIN_DAYS = 56
TEST_DAYS = 7
FOLDS = 4
CARDS_A_DAY = 100
"""What a team of investigators looks at in a day, in the Handbook's measure."""


class TrainingFault(Exception):
    """Data from which no model can be made, and why."""


class Known(Record):
    """Payments with their features, in order of time."""

    fields: tuple[str, ...]
    rows: Array
    """A row a payment, a column a field."""
    micros: Array
    is_fraud: Array
    """1 or 0."""
    cards: Array
    """Who paid, as numbers."""
    label_delay_days: int = LABEL_DELAY_DAYS
    """Between a payment and its label."""

    def between(self, since_micros: int, until_micros: int) -> "Known":
        """Those of [since, until)."""
        start, end = np.searchsorted(self.micros, (since_micros, until_micros))
        return replace(
            self,
            rows=self.rows[start:end],
            micros=self.micros[start:end],
            is_fraud=self.is_fraud[start:end],
            cards=self.cards[start:end],
        )

    def __len__(self) -> int:
        return len(self.micros)


class Validated(Record):
    """How well some parameters did on weeks that no training had seen."""

    parameters: Parameters
    metrics: Mapping[str, float]
    margins: Array
    is_fraud: Array


def train(known: Known, *, name: str, candidates: Sequence[Parameters] = CANDIDATES) -> Artifact:
    """A calibrated model, with the parameters that did best. Raises TrainingFault where there is too little."""
    if not len(known):
        raise TrainingFault("there are no payments to learn from")
    validated = [validate(known, parameters) for parameters in candidates]
    best = max(validated, key=lambda one: one.metrics["average_precision"])
    recent = known.between(int(known.micros[-1]) - TRAIN_DAYS * MICROS_PER_DAY, int(known.micros[-1]) + 1)
    trees = fit(recent, best.parameters)
    slope, intercept = _calibration(best)
    margins = np.asarray(trees.predict(recent.rows, raw_score=True))
    card = Card(
        name=name,
        trained_from=_day(recent.micros[0]),
        trained_until=_day(recent.micros[-1]),
        payments=len(recent),
        frauds=int(recent.is_fraud.sum()),
        label_delay_days=known.label_delay_days,
        parameters=best.parameters,
        metrics=best.metrics,
        importances=_importances(trees, recent),
        references={
            **{field: drift.reference_of(recent.rows[:, place]) for place, field in enumerate(recent.fields)},
            MODEL_SCORE: drift.reference_of(1 / (1 + np.exp(-(slope * margins + intercept)))),
        },
    )
    return Artifact(fields=known.fields, slope=slope, intercept=intercept, card=card, trees=trees.model_to_string())


def fit(known: Known, parameters: Parameters = PARAMETERS) -> lightgbm.Booster:
    """Trees trained on payments. Raises TrainingFault where one of the two kinds is missing."""
    if not 0 < known.is_fraud.sum() < len(known):
        raise TrainingFault("to learn from, there must be both fraud and genuine payments")
    data = lightgbm.Dataset(known.rows, known.is_fraud, feature_name=list(known.fields))
    return lightgbm.train({**_FIXED, **parameters}, data)


def validate(known: Known, parameters: Parameters) -> Validated:
    """Train on the weeks before, measure on the week after the labels' delay; several times, and average."""
    margins, truths, found = [], [], []
    for trained, tested in _folds(known):
        margin = np.asarray(fit(trained, parameters).predict(tested.rows, raw_score=True))
        margins.append(margin)
        truths.append(tested.is_fraud)
        found.append(measure(tested, margin))
    if not found:
        days = TEST_DAYS + known.label_delay_days
        raise TrainingFault(
            f"to measure a model, there must be {days} days of payments, with fraud, after those it learns from"
        )
    metrics = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return Validated(
        parameters=parameters, metrics=metrics, margins=np.concatenate(margins), is_fraud=np.concatenate(truths)
    )


def measure(known: Known, scores: Array) -> dict[str, float]:
    """The Handbook's metrics: area under the ROC curve, average precision, card precision among the top 100 a day."""
    return {
        "auc": float(roc_auc_score(known.is_fraud, scores)),
        "average_precision": float(average_precision_score(known.is_fraud, scores)),
        "card_precision_100": card_precision(known.micros, known.cards, known.is_fraud, scores),
    }


def card_precision(
    micros: Array, cards: Array, is_fraud: Array, scores: Array, *, cards_a_day: int = CARDS_A_DAY
) -> float:
    """The share of compromised cards among those with the highest scores of each day, on average over the days.

    A card found compromised is left out on later days (Le Borgne et al., Fraud Detection Handbook, 4.3).
    """
    precisions, found = [], set[int]()
    days = micros // MICROS_PER_DAY
    for day in np.unique(days):
        highest: dict[int, float] = {}
        is_compromised: dict[int, bool] = {}
        for place in np.flatnonzero(days == day):
            card = int(cards[place])
            if card not in found:
                highest[card] = max(highest.get(card, -np.inf), float(scores[place]))
                is_compromised[card] = is_compromised.get(card, False) or bool(is_fraud[place])
        top = sorted(highest, key=lambda card: -highest[card])[:cards_a_day]
        hits = {card for card in top if is_compromised[card]}
        precisions.append(len(hits) / cards_a_day)
        found |= hits
    return float(np.mean(precisions))


def _folds(known: Known) -> list[tuple[Known, Known]]:
    """The newest weeks, each with what could be learnt before it."""
    end, beginning = int(known.micros[-1]) + 1, int(known.micros[0])
    found = []
    for number in range(FOLDS):
        tested_until = end - number * TEST_DAYS * MICROS_PER_DAY
        tested_from = tested_until - TEST_DAYS * MICROS_PER_DAY
        trained_until = tested_from - known.label_delay_days * MICROS_PER_DAY
        trained = known.between(trained_until - TRAIN_DAYS * MICROS_PER_DAY, trained_until)
        if trained_until - beginning < TEST_DAYS * MICROS_PER_DAY or not trained.is_fraud.any():
            break
        tested = known.between(tested_from, tested_until)
        if tested.is_fraud.any():
            found.append((trained, tested))
    return found


def _calibration(validated: Validated) -> tuple[float, float]:
    """Slope and intercept from margins to log odds, by what came true in the weeks not trained on (Platt, 1999)."""
    fitted = LogisticRegression(C=1e6).fit(validated.margins.reshape(-1, 1), validated.is_fraud)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _importances(trees: lightgbm.Booster, known: Known) -> dict[str, float]:
    sample = known.rows[:: max(1, len(known) // 2_000)]
    strengths = np.abs(np.asarray(trees.predict(sample, pred_contrib=True))[:, :-1]).mean(axis=0)
    by_name = zip(known.fields, strengths.tolist(), strict=True)
    return dict(sorted(by_name, key=lambda pair: -pair[1]))


def _day(micros: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))).date().isoformat()


def scores_over_time(
    known: Known, *, until_micros: int, period_days: int = 28, told: Callable[[float], None] = lambda _: None
) -> Array:
    """Each payment's margin by a model that had learnt only from labels that had come by then; not-a-number before.

    The last model learns from what was before `until_micros`; earlier payments are scored by earlier models.
    """
    found = np.full(len(known), np.nan)
    delay = known.label_delay_days * MICROS_PER_DAY
    beginning = int(known.micros[0])
    used_until = int(known.micros[-1]) + 1
    learnt_until = min(until_micros, used_until)
    while learnt_until - beginning >= TEST_DAYS * MICROS_PER_DAY:
        trained = known.between(learnt_until - TRAIN_DAYS * MICROS_PER_DAY, learnt_until)
        start, end = np.searchsorted(known.micros, (learnt_until + delay, used_until))
        if trained.is_fraud.any() and start < end:
            found[start:end] = fit(trained).predict(known.rows[start:end], raw_score=True)
        used_until = learnt_until + delay
        learnt_until -= period_days * MICROS_PER_DAY
        told(1 - (used_until - beginning) / max(1, int(known.micros[-1]) - beginning))
    return found
