"""A backtest: how well rules and a model told fraud from the rest, on payments whose end is known."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from libs.common.record import Record
from schemas.fraud.events import FraudOutcome
from services.fraud.domain.history import MICROS_PER_DAY
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment, Panel
from services.fraud.laboratory.replay import BATCH_SIZE, Replay
from services.fraud.laboratory.scoring import Told
from services.fraud.laboratory.training import CARDS_A_DAY, card_precision
from services.fraud.laboratory.transactions import SCENARIO, Transactions

Array = np.ndarray[Any, Any]
_POINTS_MAX = 500
_NO_SCENARIO = "not told"


class BacktestFault(Exception):
    """A file that nothing can be told from, and why."""


class Counted(Record):
    """What one rule, one outcome or one scenario came to."""

    name: str
    payments: int
    frauds: int
    frauds_in_all: int

    @property
    def precision(self) -> float:
        """The share of fraud among what it chose."""
        return self.frauds / self.payments if self.payments else 0.0

    @property
    def recall(self) -> float:
        """The share of all fraud that it chose."""
        return self.frauds / self.frauds_in_all if self.frauds_in_all else 0.0


class Day(Record):
    """One day of a backtest."""

    day: int
    """Since 1970-01-01."""
    payments: int
    frauds: int
    alerts: int
    hits: int
    """Alerts that were fraud."""


class Curve(Record):
    """A curve of at most a few hundred points."""

    x: Sequence[float]
    y: Sequence[float]


class Results(Record):
    """All that a backtest found. What is not labelled counts as genuine."""

    rules_version: str
    model_version: str | None
    payments: int
    frauds: int
    alerts: int
    metrics: Mapping[str, float]
    """By the score that decides: auc, average_precision, card_precision_100, alert_rate, precision, recall."""
    outcomes: Sequence[Counted]
    rules: Sequence[Counted]
    scenarios: Sequence[Counted]
    """Of each kind of fraud: how much of it was alerted."""
    days: Sequence[Day]
    roc: Curve
    precision_recall: Curve
    scores: Array
    """Of every payment of the file, in order of time, those of the warm-up too."""
    decided: Sequence[FraudOutcome]


def backtest(
    transactions: Transactions, judge: Judge, *, label_delay_days: int, warm_up_days: int, told: Told
) -> Results:
    """Replay a file. Payments of the first days only become the past of later ones.

    Raises BacktestFault where nothing is left to count, or there is no fraud in it to be found.
    """
    replay = Replay(Panel(live=judge), label_delay=timedelta(days=label_delay_days))
    scores, decided = np.empty(len(transactions)), list[FraudOutcome]()
    fired: list[tuple[str, ...]] = []
    for number, (_, assessment) in enumerate(replay.run(transactions.payments())):
        scores[number] = _score(assessment)
        decided.append(assessment.outcome)
        fired.append(tuple(finding.rule for finding in assessment.findings))
        if number % BATCH_SIZE == 0:
            told(number)
    return _results(transactions, judge, scores, decided, fired, warm_up_days)


def _score(assessment: Assessment) -> float:
    """What payments are ranked by: the evidence, and among equals the model."""
    return assessment.score + (assessment.model_score or 0.0) * 1e-3


def _results(
    transactions: Transactions,
    judge: Judge,
    scores: Array,
    decided: Sequence[FraudOutcome],
    fired: Sequence[Sequence[str]],
    warm_up_days: int,
) -> Results:
    order = transactions.order
    micros, truth = transactions.micros[order], transactions.labels[order] == 1
    start = int(np.searchsorted(micros, micros[0] + warm_up_days * MICROS_PER_DAY))
    if start == len(micros) or not 0 < truth[start:].sum() < len(micros) - start:
        raise BacktestFault("after the warm-up there must be both fraud and genuine payments")
    counted = slice(start, None)
    is_alert = np.array([outcome is not FraudOutcome.ALLOW for outcome in decided])[counted]
    truth, micros, later = truth[counted], micros[counted], scores[counted]
    frauds, alerts, hits = int(truth.sum()), int(is_alert.sum()), int((is_alert & truth).sum())
    cards = np.unique(np.array(transactions.columns["CUSTOMER_ID"]), return_inverse=True)[1][order][counted]
    false_alarms, found, _ = roc_curve(truth, later)
    precision, recall, _ = precision_recall_curve(truth, later)
    return Results(
        rules_version=judge.rulebook.version,
        model_version=judge.model.version if judge.model else None,
        payments=len(truth),
        frauds=frauds,
        alerts=alerts,
        metrics={
            "auc": float(roc_auc_score(truth, later)),
            "average_precision": float(average_precision_score(truth, later)),
            f"card_precision_{CARDS_A_DAY}": card_precision(micros, cards, truth, later),
            "alert_rate": alerts / len(truth),
            "precision": hits / alerts if alerts else 0.0,
            "recall": hits / frauds,
        },
        outcomes=_counted(([outcome.value] for outcome in decided[start:]), truth),
        rules=_counted(fired[start:], truth),
        scenarios=_scenarios(transactions, start, truth, is_alert),
        days=_days(micros, truth, is_alert),
        roc=_curve(false_alarms, found),
        precision_recall=_curve(recall[::-1], precision[::-1]),
        scores=scores,
        decided=decided,
    )


def _counted(names: Iterable[Sequence[str]], truth: Array) -> list[Counted]:
    payments, frauds = Counter[str](), Counter[str]()
    for chosen, is_fraud in zip(names, truth.tolist(), strict=True):
        payments.update(chosen)
        if is_fraud:
            frauds.update(chosen)
    in_all = int(truth.sum())
    return [
        Counted(name=name, payments=count, frauds=frauds[name], frauds_in_all=in_all)
        for name, count in payments.most_common()
    ]


def _scenarios(transactions: Transactions, start: int, truth: Array, is_alert: Array) -> list[Counted]:
    told = transactions.columns.get(SCENARIO)
    if told is None:
        return []
    in_all, alerted = Counter[str](), Counter[str]()
    for row, is_fraud, was_alerted in zip(transactions.order[start:].tolist(), truth, is_alert, strict=True):
        if is_fraud:
            name = _NO_SCENARIO if told[row] is None else f"scenario {told[row]}"
            in_all[name] += 1
            alerted[name] += bool(was_alerted)
    return [
        Counted(name=name, payments=alerted[name], frauds=alerted[name], frauds_in_all=count)
        for name, count in sorted(in_all.items())
    ]


def _days(micros: Array, truth: Array, is_alert: Array) -> list[Day]:
    numbers = micros // MICROS_PER_DAY
    first = int(numbers[0])
    places = (numbers - first).astype(int)
    counts = [np.bincount(places, weights=weights) for weights in (None, truth, is_alert, truth & is_alert)]
    return [
        Day(day=first + place, payments=int(n), frauds=int(f), alerts=int(a), hits=int(h))
        for place, (n, f, a, h) in enumerate(zip(*counts, strict=True))
    ]


def _curve(x: Array, y: Array) -> Curve:
    step = max(1, len(x) // _POINTS_MAX)
    places = sorted({*range(0, len(x), step), len(x) - 1})
    return Curve(x=[float(x[place]) for place in places], y=[float(y[place]) for place in places])
