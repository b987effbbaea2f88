"""A model: kept as bytes that give it its version, sure of what it is not, and able to say why."""

import json
import math
import sys
from typing import Any

import numpy as np
import pytest

from libs.common.record import replace
from services.fraud.domain.drift import Reference
from services.fraud.domain.model import Artifact, Model, ModelFault, as_rows, pack
from tests.unit.fraud.models import FIELDS, artifact, known, small_model

ROWS: list[list[Any]] = [[10.0, False, 20.0], [900.0, True, None], [60.5, False, 0.0], [0.0, True, 1e9]]


def test_stored_bytes_give_the_same_model_back() -> None:
    one, other = Model(pack(artifact())), Model(pack(artifact()))
    assert (one.artifact, one.name, one.fields) == (artifact(), "small", FIELDS)
    assert [one.score(row) for row in ROWS] == [other.score(row) for row in ROWS]


def test_the_version_is_that_of_the_bytes() -> None:
    model = small_model()
    assert model.version == Model(pack(artifact())).version
    assert len(model.version) == 12 and int(model.version, 16) >= 0
    assert Model(pack(replace(artifact(), slope=artifact().slope * 2))).version != model.version


def test_a_score_is_a_chance_and_grows_with_what_speaks_for_fraud() -> None:
    model = small_model()
    scores = [model.score([amount, False, 50.0]) for amount in (5.0, 50.0, 500.0)]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert scores[0] < 0.1 and scores[2] > 0.5


def test_missing_values_are_taken_as_such() -> None:
    assert np.isnan(as_rows([[1.0, True, None]])).tolist() == [[False, False, True]]
    assert as_rows([[1.0, True, None]])[0, :2].tolist() == [1.0, 1.0]
    assert 0 <= small_model().score([None, None, None]) <= 1


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_contributions_and_the_expected_value_sum_to_the_calibrated_margin(row: list[Any]) -> None:
    model = small_model()
    score = model.score(row)
    margin = math.log(score / (1 - score))
    found = model.contributions(row)
    shown = [0.0 if value is None else float(value) for value in row]
    others = model.contributions([1.0, False, 30.0])
    other_score = model.score([1.0, False, 30.0])
    expected = margin - sum(one.contribution for one in found)
    assert abs(expected - (math.log(other_score / (1 - other_score)) - sum(o.contribution for o in others))) < 1e-9
    assert {one.field: one.value or 0.0 for one in found} == dict(zip(FIELDS, shown, strict=True))


def test_the_expected_value_is_that_of_the_trees_calibrated() -> None:
    model = small_model()
    raw = model._trees.predict(as_rows(ROWS), pred_contrib=True)
    for row, (*_, base) in zip(ROWS, raw, strict=True):
        score = model.score(row)
        expected = artifact().slope * base + artifact().intercept
        contributed = sum(one.contribution for one in model.contributions(row))
        assert abs(expected + contributed - math.log(score / (1 - score))) < 1e-9


def test_contributions_stand_strongest_first_whatever_their_sign() -> None:
    strengths = [abs(one.contribution) for one in small_model().contributions(ROWS[1])]
    assert strengths == sorted(strengths, reverse=True)


def changed(**changes: Any) -> bytes:
    """The stored model with other content."""
    return json.dumps({**json.loads(pack(artifact())), **changes}).encode()


TREES = artifact().trees


@pytest.mark.parametrize(
    ("packed", "told"),
    [
        (b"", "the stored model can't be read"),
        (b"no model at all", "the stored model can't be read"),
        (b"\xff\x00\x93", "the stored model can't be read"),
        (b"{}", "the stored model can't be read"),
        (b"[]", "the stored model can't be read"),
        (pack(artifact())[:-50], "the stored model can't be read"),
        (changed(trees=""), "the stored model can't be read"),
        (changed(trees="no trees"), "the stored model can't be read"),
        (changed(slope="steep"), "the stored model can't be read"),
        (changed(format=2), "the stored model has format 2, known is 1"),
        (changed(format=2, trees="in another format"), "the stored model has format 2, known is 1"),
        (changed(fields=["amount", "is_night", "shoe_size"]), "goes by features that don't exist: shoe_size"),
        (changed(fields=["amount", "is_night", "currency"]), "goes by features that don't exist: currency"),
        (changed(fields=["amount"]), "goes by features that don't exist: their number"),
        (changed(fields=[]), "goes by features that don't exist: their number"),
    ],
)
def test_what_is_no_model_is_told_so_and_nothing_else_happens(packed: bytes, told: str) -> None:
    with pytest.raises(ModelFault, match="the stored model") as found:
        Model(packed)
    assert told in str(found.value)


def test_a_card_whose_references_are_none_is_refused_before_it_is_compared_with() -> None:
    card = replace(artifact().card, references={"amount": Reference(edges=(1.0, 2.0), shares=(0.5, 0.5))})
    with pytest.raises(ModelFault, match="references are none: amount"):
        Model(pack(replace(artifact(), card=card)))


def test_where_lightgbm_cannot_be_loaded_the_model_is_at_fault_and_nothing_else_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ModelFault, match="LightGBM can't be loaded here"):
        Model(pack(artifact()))


def test_the_card_says_what_the_model_was_made_of() -> None:
    card = artifact().card
    assert isinstance(artifact(), Artifact)
    assert (card.name, card.label_delay_days) == ("small", 7)
    assert card.trained_from < card.trained_until
    assert 0 < card.frauds < card.payments <= len(known())
    assert list(card.importances) == [
        "amount",
        *sorted(card.importances.keys() - {"amount"}, key=lambda n: -card.importances[n]),
    ]
    assert {*card.references} == {*FIELDS, "model_score"}
    for reference in card.references.values():
        assert list(reference.edges) == sorted(set(reference.edges))
        assert len(reference.shares) == len(reference.edges) + 2 and sum(reference.shares) == pytest.approx(1)
    assert {*card.metrics} == {"auc", "average_precision", "card_precision_100"}
