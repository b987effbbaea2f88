"""Drift: nothing where nothing moved, much where much did, and never infinite."""

import math

import numpy as np
import pytest

from services.fraud.domain.drift import Reference, reference_of, stability

EVEN = np.arange(1_000, dtype=float)


def test_what_has_not_changed_has_not_drifted() -> None:
    assert stability(reference_of(EVEN), EVEN) == pytest.approx(0)


def test_it_is_what_its_formula_says() -> None:
    reference = Reference(edges=(1.0,), shares=(0.5, 0.5, 0.0))
    seen = np.array([0.0] * 2 + [2.0] * 8)
    assert stability(reference, seen) == pytest.approx(-0.3 * math.log(0.2 / 0.5) + 0.3 * math.log(0.8 / 0.5))


def test_a_bin_ends_with_its_edge() -> None:
    assert stability(Reference(edges=(1.0,), shares=(1.0, 0.0, 0.0)), np.array([1.0])) == pytest.approx(0)


def test_values_that_fill_several_tenths_are_one_bin() -> None:
    reference = reference_of(np.array([0.0] * 70 + list(range(1, 31)), dtype=float))
    assert reference.edges[0] == 0.0 and len(set(reference.edges)) == len(reference.edges)
    assert reference.shares[0] == pytest.approx(0.7)


def test_what_is_missing_more_often_has_drifted() -> None:
    reference = reference_of(EVEN)
    assert reference.shares[-1] == 0
    assert stability(reference, np.where(EVEN < 500, np.nan, EVEN)) > 1


def test_what_was_never_seen_before_is_much_but_not_infinite() -> None:
    assert 1 < stability(reference_of(EVEN), EVEN + 10_000) < 100


def test_a_feature_that_is_always_missing_can_be_compared() -> None:
    nothing = np.full(10, np.nan)
    assert stability(reference_of(nothing), nothing) == pytest.approx(0)
    assert stability(reference_of(nothing), EVEN) > 1


@pytest.mark.parametrize(
    ("edges", "shares"),
    [
        ((1.0, 2.0), (0.5, 0.5)),
        ((2.0, 1.0), (0.4, 0.3, 0.3, 0.0)),
        ((1.0,), (0.5, math.nan, 0.5)),
        ((math.inf,), (0.5, 0.5, 0.0)),
    ],
)
def test_bins_that_are_none_are_not_sound(edges: tuple[float, ...], shares: tuple[float, ...]) -> None:
    assert not Reference(edges=edges, shares=shares).is_sound
    assert reference_of(EVEN).is_sound and reference_of(np.full(3, np.nan)).is_sound
