"""What Prometheus sees of fraud: what is decided, and by whom; in what order payments come; how the world moves."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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


def observer(registry: CollectorRegistry) -> Callable[[Knowledge], None]:
    """What this process has committed."""
    decisions = Counter(
        "fraud_decisions_total",
        "Payments this process has judged, by outcome, and by whether a model had a part in it",
        labelnames=["outcome", "model"],
        registry=registry,
    )
    behind = Histogram(
        "fraud_event_behind_seconds",
        "How much newer than a payment the newest is that was judged before it and shares a party with it",
        buckets=_BEHIND_SECONDS,
        registry=registry,
    )
    flagged = Counter(
        "fraud_payments_flagged_total",
        "Payments judged by less than their whole past, or taken into nobody's, by why",
        labelnames=["flag"],
        registry=registry,
    )
    for flag in _FLAGS:
        flagged.labels(flag)
    drift_watch = Drift()
    registry.register(drift_watch)

    def observe(knowledge: Knowledge) -> None:
        judge, judged = knowledge.panel.live, knowledge.assessments.inserted
        for assessment in judged:
            decisions.labels(assessment.outcome.value, _part(judge, assessment)).inc()
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
        family = GaugeMetricFamily(
            "fraud_drift_psi",
            "Population stability index of a feature, or of the score, against the live model's training",
            labels=["field"],
        )
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
