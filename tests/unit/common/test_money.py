"""Amounts: whole numbers of the smallest unit, read exactly or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import AMOUNT_MINOR_MAX, SCALES, AmountFault, format_amount, parse_amount

assets = st.sampled_from(sorted(SCALES))


@given(st.integers(1, AMOUNT_MINOR_MAX), assets)
def test_every_payable_amount_survives_its_text(amount_minor: int, asset: str) -> None:
    assert parse_amount(format_amount(amount_minor, asset), asset) == amount_minor


@given(st.integers(-(2**63), 2**63 - 1), assets)
def test_the_text_of_an_amount_is_its_exact_value(amount_minor: int, asset: str) -> None:
    text = format_amount(amount_minor, asset)
    assert Decimal(text) == Decimal(amount_minor).scaleb(-SCALES[asset])
    assert len(text.partition(".")[2]) == SCALES[asset]


@given(st.decimals(allow_nan=False, allow_infinity=False), assets)
def test_whatever_is_read_is_what_was_written(amount: Decimal, asset: str) -> None:
    minor = parse_amount(f"{amount:f}", asset)
    if isinstance(minor, int):
        assert Decimal(minor).scaleb(-SCALES[asset]) == amount
        assert 0 < minor <= AMOUNT_MINOR_MAX


@given(st.text(max_size=12), assets)
def test_no_text_does_worse_than_be_refused(text: str, asset: str) -> None:
    assert isinstance(parse_amount(text, asset), int | AmountFault)


@pytest.mark.parametrize(
    ("text", "asset", "minor"),
    [
        ("12.34", "EUR", 1234),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("12.340000", "EUR", 1234),
        ("0.01", "EUR", 1),
        ("007.50", "EUR", 750),
        ("1200", "JPY", 1200),
        ("1200.00", "JPY", 1200),
        ("1.234", "BHD", 1234),
        ("1.2345", "CLF", 12345),
        ("0.00000001", "BTC", 1),
        ("0.000000001", "ETH", 1),
        ("10000000000000.00", "EUR", AMOUNT_MINOR_MAX),
        ("12.34", "ZZZ", AmountFault.UNKNOWN_CURRENCY),
        ("12.34", "eur", AmountFault.UNKNOWN_CURRENCY),
        ("nonsense", "ZZZ", AmountFault.UNKNOWN_CURRENCY),
        ("", "EUR", AmountFault.NOT_A_DECIMAL),
        ("12.", "EUR", AmountFault.NOT_A_DECIMAL),
        (".5", "EUR", AmountFault.NOT_A_DECIMAL),
        ("+1", "EUR", AmountFault.NOT_A_DECIMAL),
        ("1e3", "EUR", AmountFault.NOT_A_DECIMAL),
        ("1,234.00", "EUR", AmountFault.NOT_A_DECIMAL),
        ("12,34", "EUR", AmountFault.NOT_A_DECIMAL),
        ("1 000", "EUR", AmountFault.NOT_A_DECIMAL),
        ("0x10", "EUR", AmountFault.NOT_A_DECIMAL),
        ("NaN", "EUR", AmountFault.NOT_A_DECIMAL),
        ("12.34\n", "EUR", AmountFault.NOT_A_DECIMAL),
        ("\N{ARABIC-INDIC DIGIT ONE}", "EUR", AmountFault.NOT_A_DECIMAL),
        ("9" * 31, "EUR", AmountFault.NOT_A_DECIMAL),
        ("--1", "EUR", AmountFault.NOT_A_DECIMAL),
        ("12.345", "EUR", AmountFault.TOO_PRECISE),
        ("-12.345", "EUR", AmountFault.TOO_PRECISE),
        ("0.001", "EUR", AmountFault.TOO_PRECISE),
        ("1.5", "JPY", AmountFault.TOO_PRECISE),
        ("0", "EUR", AmountFault.NOT_POSITIVE),
        ("0.00", "EUR", AmountFault.NOT_POSITIVE),
        ("-0", "EUR", AmountFault.NOT_POSITIVE),
        ("-12.34", "EUR", AmountFault.NOT_POSITIVE),
        ("10000000000000.01", "EUR", AmountFault.TOO_LARGE),
        ("9" * 30, "EUR", AmountFault.TOO_LARGE),
    ],
)
def test_an_amount_is_read_exactly_or_refused(text: str, asset: str, minor: int | AmountFault) -> None:
    assert parse_amount(text, asset) == minor


@pytest.mark.parametrize(
    ("minor", "asset", "text"),
    [
        (0, "EUR", "0.00"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (-1234, "EUR", "-12.34"),
        (7, "JPY", "7"),
        (-7, "JPY", "-7"),
        (1, "ETH", "0.000000001"),
    ],
)
def test_an_amount_is_written_with_all_its_decimals(minor: int, asset: str, text: str) -> None:
    assert format_amount(minor, asset) == text


def test_an_unknown_asset_has_no_text() -> None:
    with pytest.raises(KeyError):
        format_amount(1, "ZZZ")


def test_the_scales_are_what_they_have_always_been() -> None:
    """A promise to every stored amount. To add an asset is to add to these counts; to change one is to lose money."""
    assert {scale: list(SCALES.values()).count(scale) for scale in set(SCALES.values())} == {
        0: 17,
        2: 131,
        3: 7,
        4: 2,
        8: 1,
        9: 1,
    }
    assert [SCALES[asset] for asset in ("EUR", "USD", "JPY", "KWD", "CLF", "BTC", "ETH")] == [2, 2, 0, 3, 4, 8, 9]
