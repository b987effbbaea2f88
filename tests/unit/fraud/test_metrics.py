"""What Prometheus sees of fraud: who judged, and drift of the newest payments against the model that is live."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from libs.common.metrics import Metrics
from services.fraud import metrics
from services.fraud.domain.assessing import AssessPayment
from services.fraud.domain.drift import Reference, reference_of
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment
from services.fraud.metrics import DRIFT_PAYMENTS_MIN, Drift
from tests.unit.fraud.past import DAY, HOUR, START, Desk, order, payment_id


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


def seen(*parts: tuple[Judge, list[Assessment]]) -> dict[str, float]:
    drift = Drift()
    for by, payments in parts:
        drift.see(by, payments)
    return drift.stability()


def test_drift_is_told_when_enough_payments_were_seen() -> None:
    assert seen((judge(), judged(DRIFT_PAYMENTS_MIN - 1))) == {}
    assert set(seen((judge(), judged(DRIFT_PAYMENTS_MIN - 1)), (judge(), judged(1)))) == {"amount", "model_score"}


def test_what_is_as_in_training_has_not_drifted_and_what_moved_has() -> None:
    assert seen((judge(), judged(1_000))) == pytest.approx({"amount": 0, "model_score": 0}, abs=1e-6)
    moved = seen((judge(), judged(1_000, shift=700)))
    assert moved["amount"] > 0.25 > moved["model_score"]


def test_another_model_begins_anew_and_none_ends_it() -> None:
    moved = (judge(), judged(DRIFT_PAYMENTS_MIN, shift=700))
    assert seen(moved, (judge("two"), judged(1))) == {}
    assert seen(moved, (judge("two"), judged(1_000)))["amount"] < 0.25
    assert seen(moved, (cast(Judge, _Judge(None)), judged(1))) == {}


def test_the_oldest_payments_make_room_for_the_newest() -> None:
    """Whatever their number in a batch."""
    old, new = judged(metrics.DRIFT_PAYMENTS - 1, shift=700), judged(metrics.DRIFT_PAYMENTS)
    for parts in ([new], [new[:1_700], new[1_700:]], [[*old, *new]]):
        found = seen((judge(), old), *((judge(), part) for part in parts))
        assert found["amount"] == pytest.approx(0, abs=1e-6)


def test_prometheus_is_told_in_what_order_payments_come_and_what_they_were_not_judged_by() -> None:
    registry = Metrics()
    desk, observe = Desk(), metrics.observer(registry)
    for number, at in enumerate((START, START - HOUR, START - 60 * DAY, START + 2 * DAY)):
        desk.now = START
        desk.assess(number, order(at=at))
        observe(desk.last, ())
    behind = [registry.get_sample_value("fraud_event_behind_seconds_bucket", {"le": le}) for le in ("0.0", "3600.0")]
    assert behind == [2, 3]
    assert registry.get_sample_value("fraud_event_behind_seconds_sum") == 3_600 + 60 * 86_400
    flags = {
        flag: registry.get_sample_value("fraud_payments_flagged_total", {"flag": flag})
        for flag in ("late", "forgotten", "crowded", "from_future")
    }
    assert flags == {"late": 0, "forgotten": 1, "crowded": 0, "from_future": 1}
    decided = registry.get_sample_value("fraud_decisions_total", {"outcome": "allow", "model": "none"})
    assert decided == 4


def test_asking_ahead_is_no_arrival() -> None:
    registry = Metrics()
    desk, observe = Desk(), metrics.observer(registry)
    desk.hears(AssessPayment(payment_id=payment_id(1), order=order()))
    observe(desk.last, ())
    assert registry.get_sample_value("fraud_event_behind_seconds_count") == 0
