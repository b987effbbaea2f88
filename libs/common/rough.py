"""Amounts in rough euros and dollars, so that one limit serves all currencies, and one history. Never for money.

Within a factor of two for years, which is all that detection needs: rates of the European Central Bank
at the end of 2025, rounded. What is in the unit's own currency is exact. A currency that isn't listed
counts as if its unit were a euro.
"""

from collections.abc import Mapping

from libs.common.money import SCALES, format_amount

EUROS_PER_CENT = 0.01

_UNITS_PER_100_EUROS = {
    "AUD": 176, "BRL": 645, "CAD": 161, "CHF": 93, "CLP": 106_500, "CNY": 822, "COP": 440_000, "CZK": 2_420,
    "DKK": 747, "EUR": 100, "GBP": 87, "HKD": 914, "HUF": 38_500, "IDR": 1_960_000, "ILS": 375, "INR": 10_550,
    "ISK": 14_750, "JPY": 18_400, "KRW": 169_000, "MXN": 2_115, "MYR": 477, "NGN": 170_000, "NOK": 1_184,
    "NZD": 204, "PHP": 6_910, "PLN": 422, "RON": 510, "SEK": 1_082, "SGD": 151, "THB": 3_690, "TRY": 5_050,
    "UAH": 4_980, "USD": 118, "VND": 3_090_000, "ZAR": 1_948,
}  # fmt: skip
_MINOR_PER_100_EUROS = {
    **{currency: _UNITS_PER_100_EUROS.get(currency, 100) * int(10**scale) for currency, scale in SCALES.items()},
    "BTC": 130_000,
    "ETH": 40_000_000,
}
_CENTS_MAX = 2**62


def _cents_per_minor(unit: str) -> Mapping[str, float]:
    """By currency. 1.0 for the unit itself."""
    cents = _MINOR_PER_100_EUROS[unit]
    return {currency: cents / minor for currency, minor in _MINOR_PER_100_EUROS.items()}


_EURO_CENTS, _DOLLAR_CENTS = _cents_per_minor("EUR"), _cents_per_minor("USD")


def euro_cents(amount_minor: int, currency: str) -> int:
    """About how many cents of a euro an amount is, 2^62 at most; exactly, if it is in euros."""
    return _cents(amount_minor, _EURO_CENTS.get(currency, 1.0))


def dollar_cents(amount_minor: int, currency: str) -> int:
    """About how many cents of a dollar an amount is, 2^62 at most; exactly, if it is in dollars."""
    return _cents(amount_minor, _DOLLAR_CENTS.get(currency, _DOLLAR_CENTS["EUR"]))


def shown(amount_minor: int, currency: str) -> str:
    """An amount as a person reads it, whatever its currency."""
    return f"{format_amount(amount_minor, currency)} {currency}" if currency in SCALES else f"{amount_minor} {currency}"


def _cents(amount_minor: int, rate: float) -> int:
    return min(amount_minor if rate == 1.0 else round(amount_minor * rate), _CENTS_MAX)
