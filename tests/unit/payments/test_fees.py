"""Fees: computed exactly, and configured so that nothing wrong gets in."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.common.money import AMOUNT_MINOR_MAX
from libs.common.record import replace
from schemas.payments.events import PaymentInitiated
from services.payments.domain.fees import FeeRule, fee_of
from services.payments.settings import PaymentsSettings
from tests.unit.payments.story import FEE, ORDER, Story

MILLION = 1_000_000


def settings_with(*fees: dict[str, Any]) -> PaymentsSettings:
    return PaymentsSettings.model_validate({"database_url": "postgresql://nowhere", "fees": fees})


@pytest.mark.parametrize(
    ("rule", "amount_minor", "fee_minor"),
    [
        (FeeRule(), 1234, 0),
        (FeeRule(fixed_minor=25), 1, 25),
        (FeeRule(share_ppm=14_000), 10_000, 140),
        # 0.35 and 0.7 of a minor unit, and exactly the half of one.
        (FeeRule(share_ppm=14_000), 25, 0),
        (FeeRule(share_ppm=14_000), 50, 1),
        (FeeRule(share_ppm=10_000), 50, 1),
        (FeeRule(share_ppm=10_000), 49, 0),
        (FeeRule(share_ppm=1), 499_999, 0),
        (FeeRule(share_ppm=1), 500_000, 1),
        (FeeRule(fixed_minor=10, share_ppm=10_000), 1234, 22),
        (FeeRule(fixed_minor=10, share_ppm=10_000, minimum_minor=30), 1234, 30),
        (FeeRule(fixed_minor=10, share_ppm=10_000, minimum_minor=30), 3000, 40),
        (FeeRule(fixed_minor=10, share_ppm=10_000, maximum_minor=20), 1234, 20),
        (FeeRule(fixed_minor=10, maximum_minor=5), 1234, 5),
        (FeeRule(share_ppm=MILLION), AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX),
    ],
)
def test_a_fee_is_a_fixed_part_and_a_share_within_bounds(rule: FeeRule, amount_minor: int, fee_minor: int) -> None:
    assert fee_of({"EUR": rule}, amount_minor, "EUR") == fee_minor
    assert fee_of({"EUR": rule}, amount_minor, "USD") == 0, "a currency without a rule is free"


@given(st.integers(1, AMOUNT_MINOR_MAX), st.integers(0, MILLION))
def test_a_share_is_rounded_half_up_and_no_digit_is_lost(amount_minor: int, share_ppm: int) -> None:
    exact = Decimal(amount_minor * share_ppm) / MILLION
    expected = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert fee_of({"EUR": FeeRule(share_ppm=share_ppm)}, amount_minor, "EUR") == expected


@given(
    st.integers(1, AMOUNT_MINOR_MAX), st.integers(1, AMOUNT_MINOR_MAX), st.integers(0, MILLION), st.integers(0, 10**6)
)
def test_less_never_costs_more(one: int, other: int, share_ppm: int, minimum_minor: int) -> None:
    """So the fee of what is captured fits into what is held for it."""
    schedule = {"EUR": FeeRule(share_ppm=share_ppm, minimum_minor=minimum_minor, maximum_minor=10**9)}
    less, more = sorted((one, other))
    assert fee_of(schedule, less, "EUR") <= fee_of(schedule, more, "EUR")


def test_payments_are_free_unless_configured_otherwise() -> None:
    assert settings_with().fee_schedule == {}


def test_terms_become_a_rule_in_minor_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "WEIR_FEES",
        """[{"currency": "EUR", "fixed": "0.25", "percentage": "1.4", "minimum": "0.3", "maximum": "20"},
            {"currency": "JPY", "percentage": "0.0001"}]""",
    )
    assert PaymentsSettings(database_url="postgresql://nowhere").fee_schedule == {
        "EUR": FeeRule(fixed_minor=25, share_ppm=14_000, minimum_minor=30, maximum_minor=2_000),
        "JPY": FeeRule(share_ppm=1),
    }


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"currency": "ZZZ"}, "unknown_currency"),
        ({"currency": ...}, "missing"),
        ({"fixed": "-0.25"}, "not_positive"),
        ({"fixed": "0.255"}, "too_precise"),
        ({"fixed": "a quarter"}, "not_a_decimal"),
        ({"fixed": 0.25}, "string_type"),
        ({"minimum": "-1"}, "not_positive"),
        ({"minimum": "0.001"}, "too_precise"),
        ({"maximum": "0"}, "not_positive"),
        ({"maximum": "99999999999999"}, "too_large"),
        ({"minimum": "2.00", "maximum": "1.99"}, "minimum_above_maximum"),
        ({"percentage": "-1"}, "greater_than_equal"),
        ({"percentage": "100.5"}, "less_than_equal"),
        ({"percentage": "1.40001"}, "decimal_max_places"),
        ({"percentage": 1.4}, "not_a_text"),
        ({"percentage": "NaN"}, "finite_number"),
        ({"percentage": "much"}, "decimal_parsing"),
        ({"rate": "1"}, "extra_forbidden"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any], reason: str) -> None:
    given_terms = {"currency": "EUR", **terms}
    with pytest.raises(ValidationError) as refused:
        settings_with({name: value for name, value in given_terms.items() if value is not ...})
    assert reason in {error["type"] for error in refused.value.errors()}
    assert all(error["loc"][0] == "fees" for error in refused.value.errors())


def test_a_currency_has_one_fee() -> None:
    with pytest.raises(ValidationError, match="more than one for EUR"):
        settings_with({"currency": "EUR"}, {"currency": "EUR"})


def test_an_order_carries_its_fee_and_its_client_sees_it() -> None:
    story = Story()
    (initiated,) = story.events
    assert isinstance(initiated, PaymentInitiated)
    assert (initiated.order.amount_minor, initiated.order.fee_minor) == (1234, FEE)
    assert (story.payment.steps[0].what, story.payment.steps[0].detail) == ("initiated", "fee 0.22")


def test_a_currency_without_a_fee_says_nothing_of_one() -> None:
    story = Story(began=False)
    story.state.fees = {}
    story.decide(replace(ORDER))
    assert (story.payment.order.fee_minor, story.payment.steps[0].detail) == (0, "")
