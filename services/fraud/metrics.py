"""What Prometheus sees of fraud: what is decided, and by whom; in what order payments come; how the world moves."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from libs.common.batch import Decided, Observe
from libs.common.metrics import Description, Metrics
from schemas.fraud.events import FraudOutcome
from services.fraud.domain import drift
from services.fraud.domain.judging import MODEL_SCORE, Judge
from services.fraud.domain.knowledge import Arrival, Assessment, Knowledge
from services.fraud.domain.model import Model, as_rows

DRIFT_PAYMENTS = 5_000
"""The newest payments of this process, by which drift is told."""
DRIFT_PAYMENTS_MIN = 500
"""Of fewer, nothing is told: chance alone would move them."""

_BEHIND_SECONDS = (0.0, 1.0, 60.0, 3_600.0, 86_400.0, 604_800.0, 2_592_000.0)
_FLAGS = ("late", "forgotten", "crowded", "from_future")
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_DRIFT = Description(
    name="fraud_drift_psi",
    kind="gauge",
    meaning="Population stability index of a feature, or of the score, against the live model's training: how far this"
    " worker's newest payments have moved from it",
    labels={"field": "the live model's features, and `model_score`"},
)


def observer(metrics: Metrics) -> Observe:
    """What this process has committed."""
    decisions = metrics.counter(
        "fraud_decisions_total",
        "Payments this process has judged, by outcome, and by whether a model had a part in it: it `scored`, there is"
        " `none`, or one is live and `missing`",
        outcome=tuple(FraudOutcome),
        model=("scored", "none", "missing"),
    )
    scores = metrics.histogram("fraud_decision_score", "What payments scored, from 0 to 1", buckets=_SHARES)
    behind = metrics.histogram(
        "fraud_event_behind_seconds",
        "How much newer than a payment the newest is that was judged before it and shares a party with it",
        buckets=_BEHIND_SECONDS,
    )
    flagged = metrics.counter(
        "fraud_payments_flagged_total",
        "Payments judged by less than their whole past (`late`), by estimates (`crowded`), or taken into nobody's past"
        " for their age (`forgotten`) or date (`from_future`)",
        flag=_FLAGS,
    )
    drift_watch = Drift()
    metrics.watch(drift_watch, _DRIFT)

    def observe(knowledge: Knowledge, _: Sequence[Decided]) -> None:
        judge, judged = knowledge.panel.live, knowledge.assessments.inserted
        for assessment in judged:
            decisions.labels(assessment.outcome.value, _part(judge, assessment)).inc()
            scores.observe(assessment.score)
        for arrival in knowledge.arrivals:
            behind.observe(arrival.behind_seconds)
            for flag in _flags(arrival):
                flagged.labels(flag).inc()
        drift_watch.see(judge, judged)

    return observe


def _part(judge: Judge, assessment: Assessment) -> str:
    if assessment.model_score is not None:
        return "scored"
    return "missing" if judge.is_model_missing else "none"


def _flags(arrival: Arrival) -> list[str]:
    found = (arrival.is_late, arrival.is_forgotten, arrival.is_crowded, arrival.is_from_future)
    return [flag for flag, is_it in zip(_FLAGS, found, strict=True) if is_it]


class Drift(Collector):
    """The newest payments that a model scored, as its features and its score; told when Prometheus asks."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._rows: np.ndarray[Any, Any] = np.empty((0, 0))
        self._seen = 0
        # Requests, events and Prometheus come in threads of their own, at a release for a moment with different models.
        self._lock = threading.Lock()

    def see(self, judge: Judge, judged: Sequence[Assessment]) -> None:
        """Take payments in."""
        scored = [assessment for assessment in judged if assessment.model_score is not None][-DRIFT_PAYMENTS:]
        with self._lock:
            if judge.model is None:
                self._model = None
                return
            if not scored:
                return
            if self._model is None or judge.model.version != self._model.version:
                self._model, self._seen = judge.model, 0
                self._rows = np.empty((DRIFT_PAYMENTS, len(judge.model.fields) + 1))
            places = (self._seen + np.arange(len(scored))) % DRIFT_PAYMENTS
            self._rows[places] = as_rows([[*judge.model_values(one.values), one.model_score] for one in scored])
            self._seen += len(scored)

    def collect(self) -> Iterator[Metric]:
        """The stability of each feature and of the score, as soon as enough payments were seen."""
        family = GaugeMetricFamily(_DRIFT.name, _DRIFT.meaning, labels=list(_DRIFT.labels))
        for field, index in self.stability().items():
            family.add_metric([field], index)
        yield family

    def stability(self) -> dict[str, float]:
        """The population stability index by field; of none while too few payments were seen."""
        with self._lock:
            model, rows = self._model, self._rows[: self._seen].copy()
        if model is None or len(rows) < DRIFT_PAYMENTS_MIN:
            return {}
        references = model.artifact.card.references
        return {
            name: drift.stability(references[name], rows[:, place])
            for place, name in enumerate((*model.fields, MODEL_SCORE))
            if name in references
        }
