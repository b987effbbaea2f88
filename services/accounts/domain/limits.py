"""What a customer may pay: by verification tier, at once, a day and a month."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType

from libs.common.money import SCALES
from libs.common.record import Record


class Limits(Record):
    """The most that may leave an account; None: no limit. Days and months are those of UTC."""

    once: int | None
    day: int | None
    month: int | None


NOTHING = Limits(once=0, day=0, month=0)
UNLIMITED = Limits(once=None, day=None, month=None)

LIMITS_BY_TIER: Mapping[int, Limits] = MappingProxyType(
    {
        1: Limits(once=1_000, day=2_500, month=10_000),
        2: Limits(once=15_000, day=50_000, month=250_000),
        3: UNLIMITED,
    }
)
"""In euros. What that is in another currency is said for each (`LIMIT_UNITS`)."""

LIMIT_UNITS: Mapping[str, Decimal] = MappingProxyType(
    {
        currency: Decimal(units)
        for units, currencies in (
            ("0.00001", "BTC"),
            ("0.0004", "ETH"),
            ("0.35", "BHD KWD OMR"),
            ("1", "CHF EUR GBP USD"),
            ("1.5", "AUD CAD NZD SGD"),
            ("4", "AED ILS PLN QAR SAR"),
            ("5", "BRL RON"),
            ("8", "CNY DKK HKD"),
            ("11", "NOK SEK"),
            ("20", "CZK MXN ZAR"),
            ("35", "THB TWD"),
            ("100", "INR"),
            ("150", "JPY"),
            ("400", "HUF"),
            ("1500", "KRW"),
        )
        for currency in currencies.split()
    }
)
"""Whole units of a currency that count as one euro in limits. A policy in round figures, and no rate of exchange:
limits must not move with markets. In a currency that is not listed, whoever has limits may pay nothing."""


class LimitTable(Record):
    """Limits in minor units, for every tier and currency there are limits for."""

    by_tier_and_currency: Mapping[tuple[int, str], Limits]

    def of(self, tier: int | None, currency: str) -> Limits:
        """What may leave an account; no tier: no limits. A tier or currency that is not listed may pay nothing."""
        return UNLIMITED if tier is None else self.by_tier_and_currency.get((tier, currency), NOTHING)


def limit_table(units: Mapping[str, Decimal] = LIMIT_UNITS) -> LimitTable:
    """The limits of every tier, given how many units of each currency count as a euro."""
    listed = {
        (tier, currency): _in_minor_units(limits, currency, each)
        for tier, limits in LIMITS_BY_TIER.items()
        for currency, each in units.items()
    }
    without = {
        (tier, currency): limits
        for tier, limits in LIMITS_BY_TIER.items()
        for currency in SCALES
        if limits == UNLIMITED
    }
    return LimitTable(by_tier_and_currency=MappingProxyType(listed | without))


def _in_minor_units(limits: Limits, currency: str, units: Decimal) -> Limits:
    return Limits(
        once=_minor(limits.once, currency, units),
        day=_minor(limits.day, currency, units),
        month=_minor(limits.month, currency, units),
    )


def _minor(euros: int | None, currency: str, units: Decimal) -> int | None:
    if euros is None:
        return None
    return int((euros * units).scaleb(SCALES[currency]).to_integral_value(ROUND_FLOOR))


STANDARD_LIMITS = limit_table()
