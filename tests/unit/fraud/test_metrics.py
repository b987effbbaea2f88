"""What Prometheus sees of fraud: who judged, and drift of the newest payments against the model that is live."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from services.fraud import metrics
from services.fraud.domain.drift import Reference, reference_of
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment
from services.fraud.metrics import DRIFT_EVERY, Watch


@dataclass
class _Card:
    references: dict[str, Reference]


@dataclass
class _Artifact:
    card: _Card


@dataclass
class _Model:
    version: str
    artifact: _Artifact
    fields: tuple[str, ...] = ("amount",)


class _Judge:
    """A judge whose model scored what it is said to have."""

    is_model_missing = False

    def __init__(self, model: _Model | None) -> None:
        self.model = model

    def model_values(self, values: Any) -> list[Any]:
        return list(values)


@dataclass
class _Judged:
    values: tuple[float, ...]
    model_score: float | None


EVEN = np.arange(1_000, dtype=float)


def judge(version: str = "one") -> Judge:
    references = {"amount": reference_of(EVEN), "model_score": reference_of(EVEN / 1_000)}
    return cast(Judge, _Judge(_Model(version, _Artifact(_Card(references)))))


def judged(count: int, shift: float = 0.0) -> list[Assessment]:
    found = [_Judged((EVEN[n % 1_000] + shift,), EVEN[n % 1_000] / 1_000) for n in range(count)]
    return cast(list[Assessment], found)


def test_drift_is_told_every_few_hundred_payments() -> None:
    watch = Watch()
    assert watch.see(judge(), judged(DRIFT_EVERY - 1)) == {}
    assert set(watch.see(judge(), judged(1))) == {"amount", "model_score"}
    assert watch.see(judge(), judged(1)) == {}


def test_what_is_as_in_training_has_not_drifted_and_what_moved_has() -> None:
    assert Watch().see(judge(), judged(1_000)) == pytest.approx({"amount": 0, "model_score": 0}, abs=1e-6)
    moved = Watch().see(judge(), judged(1_000, shift=700))
    assert moved["amount"] > 0.25 > moved["model_score"]


def test_another_model_begins_anew() -> None:
    watch = Watch()
    watch.see(judge(), judged(DRIFT_EVERY - 1, shift=700))
    assert watch.see(judge("two"), judged(1)) == {}
    assert watch.see(judge("two"), judged(999))["amount"] < 0.25


def test_the_oldest_payments_make_room_for_the_newest() -> None:
    watch = Watch()
    watch.see(judge(), judged(metrics.DRIFT_PAYMENTS, shift=700))
    assert watch.see(judge(), judged(metrics.DRIFT_PAYMENTS))["amount"] == pytest.approx(0, abs=1e-6)
