"""What Prometheus sees of fraud: what is decided, whether a model has a part in it, and how far the world has moved."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.fraud.domain import drift
from services.fraud.domain.judging import MODEL_SCORE, Judge
from services.fraud.domain.knowledge import Assessment, Knowledge
from services.fraud.domain.model import as_rows

DRIFT_PAYMENTS = 5_000
"""The newest payments of this process, by which drift is told."""
DRIFT_EVERY = 500
"""So many payments from one look to the next, and until the first."""


def observer(registry: CollectorRegistry) -> Callable[[Knowledge], None]:
    """What this process has committed."""
    decisions = Counter(
        "fraud_decisions_total",
        "Payments this process has judged, by outcome, and by whether a model had a part in it",
        labelnames=["outcome", "model"],
        registry=registry,
    )
    stability = Gauge(
        "fraud_drift_psi",
        "Population stability index of a feature, or of the score, against the live model's training",
        labelnames=["field"],
        registry=registry,
    )
    watch = Watch()

    def observe(knowledge: Knowledge) -> None:
        judge, judged = knowledge.panel.live, knowledge.assessments.inserted
        for assessment in judged:
            decisions.labels(assessment.outcome.value, _part(judge, assessment)).inc()
        for field, index in watch.see(judge, judged).items():
            stability.labels(field).set(index)
        if judge.model is None:
            stability.clear()

    return observe


def _part(judge: Judge, assessment: Assessment) -> str:
    if assessment.model_score is not None:
        return "scored"
    return "missing" if judge.is_model_missing else "none"


class Watch:
    """The newest payments that a model scored, as its features and its score."""

    def __init__(self) -> None:
        self._model_version: str | None = None
        self._rows: np.ndarray[Any, Any] = np.empty((0, 0))
        self._seen = 0
        # Requests and events are judged in threads of their own, and at a release for a moment by different models.
        self._lock = threading.Lock()

    def see(self, judge: Judge, judged: Sequence[Assessment]) -> dict[str, float]:
        """Take payments in; now and then, the stability of each feature and of the score."""
        with self._lock:
            return self._see(judge, judged)

    def _see(self, judge: Judge, judged: Sequence[Assessment]) -> dict[str, float]:
        scored = [assessment for assessment in judged if assessment.model_score is not None]
        if judge.model is None or not scored:
            return {}
        if judge.model.version != self._model_version:
            self._begin(judge.model.version, len(judge.model.fields) + 1)
        before = self._seen
        for assessment in scored:
            row = [*judge.model_values(assessment.values), assessment.model_score]
            self._rows[self._seen % DRIFT_PAYMENTS] = as_rows([row])[0]
            self._seen += 1
        is_time = self._seen // DRIFT_EVERY > before // DRIFT_EVERY
        return self._stability(judge) if is_time else {}

    def _begin(self, model_version: str, width: int) -> None:
        self._model_version, self._seen = model_version, 0
        self._rows = np.empty((DRIFT_PAYMENTS, width))

    def _stability(self, judge: Judge) -> dict[str, float]:
        assert judge.model is not None
        rows, references = self._rows[: self._seen], judge.model.artifact.card.references
        names = (*judge.model.fields, MODEL_SCORE)
        return {
            name: drift.stability(references[name], rows[:, place])
            for place, name in enumerate(names)
            if name in references
        }
