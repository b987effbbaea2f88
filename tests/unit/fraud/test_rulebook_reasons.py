"""Reasons: how values are shown, and that no value makes one fail or grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fraud.domain.rulebook.bounds import REASON_LENGTH_MAX
from services.fraud.domain.rulebook.reasons import show
from services.fraud.domain.rulebook.rulebook import fired
from tests.unit.fraud.catalogue import HEAD, compiled, rule, values


def reason(because: str, *, lets: str = "", **known: object) -> str:
    rulebook = compiled(HEAD + lets + rule("true", because=because))
    ((_, text),) = fired(rulebook, values(rulebook, **known))
    return text


def test_values_of_fields_and_lets_are_filled_in() -> None:
    lets = "let limit = 220 let times = ratio(amount, limit) let high = amount > limit "
    text = "{ordered_amount} by {channel} is {times:.1f} times {limit}, {high}"
    assert reason(text, lets=lets, ordered_amount="550.00 USD", channel="card", amount=550) == (
        "550.00 USD by card is 2.5 times 220, yes"
    )


def test_what_is_missing_is_unknown() -> None:
    assert reason("{debtor_average_30d:.1f} {ip_country} {device_is_new_to_debtor}") == "unknown unknown unknown"


def test_braces_can_be_written() -> None:
    assert reason("{{{hour}}}", hour=3) == "{3}"


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (5, "", "5"), (5.0, "", "5"), (5.0, "02", "05"), (5, ".1f", "5.0"), (5.126, "", "5.13"), 
        (0.0012345, "", "0.0012"),
        (1234567.891, "", "1234567.89"), (1234567.891, ",.2f", "1,234,567.89"), (1234567.0, ",", "1,234,567"),
        (0.256, ".0%", "26%"), (-0.0, "", "0"), (float("nan"), "", "unknown"), (float("nan"), ".1f", "unknown"),
        (float("inf"), "", "inf"), (float("-inf"), ".1f", "-inf"), (10**400, "", "inf"), (-(10**400), ",.2f", "-inf"),
        (1e20, "", "1e+20"), (True, "", "yes"), (False, "", "no"), (None, ".1f", "unknown"), ("x", "", "x"),
    ],
)  # fmt: skip
def test_numbers_are_shown_as_people_write_them(value: object, form: str, shown: str) -> None:
    assert show(value, form) == shown


def test_a_reason_is_cut_where_it_gets_too_long() -> None:
    text = reason("{currency} and more", currency="x" * 10_000)
    assert len(text) == REASON_LENGTH_MAX
    assert text.endswith("…")


def test_what_values_say_is_not_filled_in_again() -> None:
    assert reason("{currency}", currency="{amount} {0.__class__}") == "{amount} {0.__class__}"


@given(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    st.sampled_from(["", "02", ",", ".0f", ",.6f", ".2%", "09,.3f"]),
)
def test_showing_never_fails(value: object, form: str) -> None:
    assert isinstance(show(value, "" if isinstance(value, str) else form), str)
