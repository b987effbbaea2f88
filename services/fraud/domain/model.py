"""A model: boosted trees that turn features into the chance of fraud, and say why. Pure.

    values ─► trees ─► margin ─► calibration ─► chance      1 / (1 + e^-(slope · margin + intercept))

The trees are LightGBM's (Ke et al., NeurIPS 2017), the calibration is Platt's (1999), and what each
feature contributed are SHAP values of the trees (Lundberg et al., 2020), in the margin's units.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from libs.common.record import Record
from services.fraud.domain.drift import Reference
from services.fraud.domain.features import CATALOGUE, Value
from services.fraud.domain.rulebook.fields import Kind

_VERSION_LENGTH = 12
_NUMERIC = (Kind.NUMBER, Kind.FLAG)
_FORMAT = 1


class ModelFault(Exception):
    """A model that can't be used, and why."""


class Card(Record):
    """What a model was made of, and how well it did on payments it had not seen."""

    name: str
    trained_from: str
    """The first day of its training, and the last."""
    trained_until: str
    payments: int
    frauds: int
    label_delay_days: int
    parameters: Mapping[str, float | int | str]
    metrics: Mapping[str, float]
    """By prequential validation: trained on the weeks before, measured on the week after the labels' delay."""
    importances: Mapping[str, float]
    """What each feature contributes to the margin on average, without sign."""
    references: Mapping[str, Reference]
    """Of each feature and of the score, in training: what drift is measured against."""


class Artifact(Record):
    """A model as it is stored."""

    format: int = _FORMAT
    fields: tuple[str, ...]
    slope: float
    intercept: float
    card: Card
    trees: str


class Contribution(Record):
    """What one feature added to the margin, or took from it."""

    field: str
    value: float | None
    contribution: float


class Model:
    """A model ready to score. Raises ModelFault for an artifact that can't be read, or asks for what isn't known."""

    def __init__(self, packed: bytes) -> None:
        self.version = version_of(packed)
        try:
            # It brings half of science along, which takes seconds: only where there is a model.
            import lightgbm
        except (ImportError, OSError) as error:
            raise ModelFault(f"LightGBM can't be loaded here: {error}") from error
        try:
            self.artifact = msgspec.json.decode(packed, type=Artifact)
            if self.artifact.format != _FORMAT:
                raise ModelFault(f"the stored model has format {self.artifact.format}, known is {_FORMAT}")
            self._trees = lightgbm.Booster(model_str=self.artifact.trees)
        except (msgspec.MsgspecError, lightgbm.basic.LightGBMError) as error:
            raise ModelFault(f"the stored model can't be read: {error}") from error
        self.fields = self.artifact.fields
        self._require_sound()

    def _require_sound(self) -> None:
        unknown = [name for name in self.fields if name not in CATALOGUE or CATALOGUE[name].kind not in _NUMERIC]
        if unknown or self._trees.num_feature() != len(self.fields):
            raise ModelFault(
                f"the stored model goes by features that don't exist: {', '.join(unknown) or 'their number'}"
            )
        odd = [name for name, reference in self.artifact.card.references.items() if not reference.is_sound]
        if odd:
            raise ModelFault(f"the card's references are none: {', '.join(odd)}")

    @property
    def name(self) -> str:
        return self.artifact.card.name

    def score(self, values: Sequence[Value]) -> float:
        """The chance of fraud, from 0 to 1, given the values of `fields` in their order."""
        (margin,) = self._trees.predict(as_rows([values]), raw_score=True, num_threads=1)
        return float(self._chances(margin))

    def scores(self, rows: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """The chances of many payments, a row each, as `as_rows` makes them."""
        chances: np.ndarray[Any, Any] = self._chances(self._trees.predict(rows, raw_score=True))
        return chances

    def contributions(self, values: Sequence[Value]) -> list[Contribution]:
        """What each feature did to the score, strongest first."""
        row = as_rows([values])
        (found,) = self._trees.predict(row, pred_contrib=True, num_threads=1)
        contributions = [
            Contribution(
                field=field,
                value=None if math.isnan(value) else float(value),
                contribution=float(contribution) * self.artifact.slope,
            )
            for field, value, contribution in zip(self.fields, row[0], found[:-1], strict=True)
        ]
        return sorted(contributions, key=lambda one: -abs(one.contribution))

    def _chances(self, margins: Any) -> Any:
        return 1 / (1 + np.exp(-(self.artifact.slope * margins + self.artifact.intercept)))


def version_of(packed: bytes) -> str:
    """The version of a stored model: the beginning of its content's hash."""
    return hashlib.sha256(packed).hexdigest()[:_VERSION_LENGTH]


def as_rows(many: Sequence[Sequence[Value]]) -> "np.ndarray[Any, Any]":
    """Values as trees take them: a row for each payment, flags as 0 and 1, not-a-number for what is missing."""
    return np.array(many, dtype=float)


def pack(artifact: Artifact) -> bytes:
    """The bytes that are stored, which give the model its version."""
    return msgspec.json.encode(artifact)
