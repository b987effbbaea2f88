"""Identifiers: new ones in order of time, derived ones the same for the same cause."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import ids

words = st.lists(st.text(max_size=8), min_size=1, max_size=3)
moments = st.floats(0, 2**47 / 1000)


@given(moments)
def test_a_new_id_is_a_uuid_of_version_7_that_begins_with_its_time(at_seconds: float) -> None:
    made = uuid.UUID(ids.new(at_seconds=at_seconds))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(at_seconds * 1000)


@given(moments, words)
def test_a_derived_id_is_a_uuid_of_version_7_with_the_time_of_its_cause(at_seconds: float, what: list[str]) -> None:
    cause = ids.new(at_seconds=at_seconds)
    derived = uuid.UUID(ids.derive(cause, *what))
    assert (derived.version, derived.variant) == (7, uuid.RFC_4122)
    assert derived.int >> 80 == uuid.UUID(cause).int >> 80


def test_later_ids_sort_after_earlier_ones() -> None:
    made = [ids.new(at_seconds=seconds) for seconds in range(1_700_000_000, 1_700_000_100)]
    assert made == sorted(made)


def test_new_ids_differ_even_within_a_millisecond() -> None:
    assert len({ids.new(at_seconds=1.0) for _ in range(10_000)}) == 10_000


def test_a_derived_id_is_always_the_same() -> None:
    """Pinned: with another derivation a replay would publish everything anew under other ids."""
    cause = "0192d3b4-5c6d-7abc-8def-0123456789ab"
    assert ids.derive(cause, "payments", "PaymentInitiated", 0) == "0192d3b4-5c6d-78de-99fc-80b859a59d3b"
    assert ids.named("accounts", "external", "EUR") == "00000000-0000-7030-bb7e-a197eb58d18e"


def test_derived_ids_differ_by_cause_and_by_each_word() -> None:
    one, other = ids.new(), ids.new()
    made = [ids.derive(cause, kind, n) for cause in (one, other) for kind in ("A", "B") for n in range(3)]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0192d3b4-5c6d-7abc-8def-0123456789ab", True),
        ("0192D3B4-5C6D-7ABC-8DEF-0123456789AB", False),
        ("0192d3b45c6d7abc8def0123456789ab", False),
        ("{0192d3b4-5c6d-7abc-8def-0123456789ab}", False),
        ("0192d3b4-5c6d-7abc-8def-0123456789a", False),
        ("0192d3b4-5c6d-7abc-8def-0123456789abc", False),
        ("0192d3b4-5c6d-7abc-8def-0123456789ab\n", False),
        ("0192d3b4-5c6d-7abc-8def-0123456789a\N{ARABIC-INDIC DIGIT ONE}", False),
        ("", False),
    ],
)
def test_only_one_spelling_is_an_id(text: str, is_one: bool) -> None:
    assert ids.is_id(text) is is_one


@given(moments)
def test_the_first_id_of_a_moment_comes_before_all_of_it_and_after_all_before_it(at_seconds: float) -> None:
    first = ids.first_of(at_seconds)
    assert first <= ids.new(at_seconds=at_seconds)
    assert ids.first_of(at_seconds + 0.002) > ids.new(at_seconds=at_seconds)
