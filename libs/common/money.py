"""Money: whole numbers of an asset's smallest unit. No float comes near it.

The scale of an asset is a promise to every stored amount and every event: it never changes, so the
table lives here and not in a library that might be updated (source: ISO 4217 list one; crypto
assets with 18 decimals are kept at 9, so that amounts fit 64 bits).
"""

import re
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

AMOUNT_MINOR_MAX = 10**15
"""The largest amount of one payment, in minor units: a thousandth of what 64 bits hold."""

_SCALE_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_SCALE_2 = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR
MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES
WST XCD YER ZAR ZMW ZWG
"""
_SCALE_3 = "BHD IQD JOD KWD LYD OMR TND"
_SCALE_4 = "CLF UYW"
_SCALE_8 = "BTC"
_SCALE_9 = "ETH"

SCALES = MappingProxyType(
    {
        asset: scale
        for scale, assets in (
            (0, _SCALE_0),
            (2, _SCALE_2),
            (3, _SCALE_3),
            (4, _SCALE_4),
            (8, _SCALE_8),
            (9, _SCALE_9),
        )
        for asset in assets.split()
    }
)
"""Decimals of each asset known here."""

_DECIMAL = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,30}))?")


class AmountFault(StrEnum):
    """Why a text is not an amount that can be paid."""

    UNKNOWN_CURRENCY = "unknown_currency"
    NOT_A_DECIMAL = "not_a_decimal"
    NOT_POSITIVE = "not_positive"
    TOO_PRECISE = "too_precise"
    TOO_LARGE = "too_large"


@lru_cache(maxsize=2_048)
def parse_amount(text: str, asset: str) -> int | AmountFault:
    """Minor units of a positive decimal text such as "12.34", or what is wrong with it.

    Remembered, for it is asked twice: whether a request's amount can be paid, and how much it is.
    """
    scale = SCALES.get(asset)
    if scale is None:
        return AmountFault.UNKNOWN_CURRENCY
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return AmountFault.NOT_A_DECIMAL
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    if len(fraction) > scale:
        return AmountFault.TOO_PRECISE
    amount_minor = int(whole + fraction.ljust(scale, "0"))
    if sign or amount_minor == 0:
        return AmountFault.NOT_POSITIVE
    if amount_minor > AMOUNT_MINOR_MAX:
        return AmountFault.TOO_LARGE
    return amount_minor


def in_dollars(cents: int) -> str:
    """Cents of a dollar as people read them, exactly: "$12,000", "$12,000.50"."""
    whole, rest = divmod(cents, 100)
    return f"${whole:,}" + (f".{rest:02}" if rest else "")


def format_amount(amount_minor: int, asset: str) -> str:
    """The decimal text of minor units: 1234 of EUR is "12.34". Raises KeyError for an unknown asset."""
    scale = SCALES[asset]
    sign, digits = "-" if amount_minor < 0 else "", str(abs(amount_minor)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"
