"""A model of a few features, trained in a moment: large amounts are fraud, mostly."""

from functools import cache
from typing import Any

import numpy as np

from services.fraud.domain.history import MICROS_PER_DAY
from services.fraud.domain.model import Artifact, Model, pack
from services.fraud.laboratory import training
from services.fraud.laboratory.training import Known

FIELDS = ("amount", "is_night", "debtor_average_30d")
FEW: training.Parameters = {**training.PARAMETERS, "num_iterations": 30, "min_data_in_leaf": 20}


def known(count: int = 3_000, *, days: int = 60, seed: int = 1, fraud_share: float = 0.1, **other: Any) -> Known:
    """Payments whose chance of fraud grows with their amount; averages are missing now and then."""
    chance = np.random.default_rng(seed)
    amounts = chance.lognormal(4, 1, count)
    averages = np.where(chance.random(count) < 0.2, np.nan, chance.lognormal(4, 1, count))
    chances = np.clip(fraud_share * (amounts / 55) ** 1.5, 0, 0.95)
    values: dict[str, Any] = {
        "fields": FIELDS,
        "rows": np.column_stack([amounts, chance.integers(0, 2, count), averages]),
        "micros": np.sort(chance.integers(0, days * MICROS_PER_DAY, count)) + 20_000 * MICROS_PER_DAY,
        "is_fraud": (chance.random(count) < chances).astype(np.int8),
        "cards": chance.integers(0, 200, count),
    }
    return Known(**{**values, **other})


@cache
def artifact() -> Artifact:
    return training.train(known(), name="small", candidates=[FEW])


def small_model() -> Model:
    return Model(pack(artifact()))
