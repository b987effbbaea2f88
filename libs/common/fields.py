"""Types of request fields that mean the same in every API, and refuse what must not get in."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final, get_args

from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from libs.common import ids
from libs.common.card_numbers import has_card_number
from libs.common.countries import is_country
from libs.common.money import SCALES, AmountFault, parse_amount

TEXT_LENGTH_MAX = 200
YEAR_MIN, YEAR_MAX = 1900, 2999

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


CARD_NUMBER_FAULT: Final = "must not contain a card number: none is ever kept"

_WRONG_TYPE, _WRONG_VALUE = "wrong_type", "wrong_value"
_REASONS = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "enum": "not_in_list",
    "literal_error": "not_in_list",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
}
_VALIDATORS_OWN = frozenset(get_args(ErrorType))


def reason_of(fault: str) -> str:
    """The reason that an API gives for a validator's fault: our own words, whatever library finds it.

    Faults that have a name of ours (`not_an_id`, `too_precise`) keep it.
    """
    if fault not in _VALIDATORS_OWN:
        return fault
    return _REASONS.get(fault, _WRONG_TYPE if fault.endswith(("_type", "_parsing")) else _WRONG_VALUE)


class Body(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Filters(BaseModel):
    """Query parameters: unknown ones are refused, or a misspelt filter that shows everything is taken for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Part of a response, as the OpenAPI page describes it."""

    model_config = ConfigDict(frozen=True)


def _printable(text: str) -> str:
    if not (text.isprintable() or all(map(_is_printable, text))):
        raise PydanticCustomError("control_characters", "must not contain control characters")
    return text


def _kept(text: str) -> str:
    """A text as it may be kept: for people to read, and without what nobody may keep."""
    return _printable(_without_card_number(text))


def _without_card_number(text: str) -> str:
    if has_card_number(text):
        # Refused rather than masked: whoever sends card numbers must hear of it, and stop.
        raise PydanticCustomError("card_number", CARD_NUMBER_FAULT)
    return text


def _is_printable(character: str) -> bool:
    # Names are written with spaces of many kinds, some scripts need joiners; what turns text around stays out.
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _an_id(text: str) -> str:
    if not ids.is_id(text):
        raise PydanticCustomError("not_an_id", "must be a UUID in lower case")
    return text


def _a_currency(text: str) -> str:
    if text not in SCALES:
        raise PydanticCustomError(AmountFault.UNKNOWN_CURRENCY.value, AMOUNT_FAULTS[AmountFault.UNKNOWN_CURRENCY])
    return text


def _a_country(text: str) -> str:
    if not is_country(text):
        raise PydanticCustomError("not_a_country", "must be a country's two letters as ISO 3166-1 has them")
    return text


def _spelled_out(value: object) -> object:
    # A number would be taken for seconds since 1970: "2026" is no such moment.
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value[1:]):
        raise PydanticCustomError("not_a_time", "must be a time such as 2026-01-31T09:30:00Z")
    return value


def _within_reach(at: datetime) -> datetime:
    # At the ends of the calendar an offset leads out of it: an event with such a time can be written but never read.
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        years = {"first": YEAR_MIN, "last": YEAR_MAX}
        raise PydanticCustomError("out_of_reach", "must lie between the years {first} and {last}", years)
    return at


@dataclass(frozen=True)
class _Text(GroupedMetadata):
    """What is asked of a text, in a form that `Annotated` takes. An `Annotated` within an `Annotated` asks nothing."""

    length_max: int
    pattern: str | None

    def __iter__(self) -> Iterator[object]:
        yield from StringConstraints(min_length=1, max_length=self.length_max, pattern=self.pattern)
        yield AfterValidator(_kept)


def _in_the_calendar(text: str) -> str:
    try:
        date.fromisoformat(text + "-01-01"[len(text) - len("2026") :])
    except ValueError as error:
        raise PydanticCustomError("not_a_date", "must be in the calendar") from error
    return text


def text(length_max: int = TEXT_LENGTH_MAX, *, pattern: str | None = None) -> GroupedMetadata:
    """Non-empty text without control characters and card numbers: `Annotated[str, text(140)]`."""
    return _Text(length_max, pattern)


NO_CARD_NUMBER = AfterValidator(_without_card_number)
"""For a text that isn't a `text()`."""

Id = Annotated[str, AfterValidator(_an_id), Field(examples=["0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061"])]
Currency = Annotated[str, AfterValidator(_a_currency), Field(examples=["EUR"])]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_a_country), Field(examples=["DE"])]
PartialDate = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"),
    AfterValidator(_in_the_calendar),
    Field(examples=["1980-05-17"]),
]
"""A day, a month or a year."""
Instant = Annotated[AwareDatetime, BeforeValidator(_spelled_out), AfterValidator(_within_reach)]
"""A time with its offset from UTC; without one nobody knows when it was."""
Amount = Annotated[str, StringConstraints(max_length=40), Field(examples=["12.34"])]
"""A decimal text such as "12.34"; what it must be is `money.parse_amount`'s to say."""


def payable(amount: str, info: ValidationInfo) -> str:
    """An amount in the currency that the same body names before it, as it is. Raises PydanticCustomError otherwise."""
    currency = info.data.get("currency")
    if currency is not None:
        minor = parse_amount(amount, currency)
        if isinstance(minor, AmountFault):
            raise PydanticCustomError(minor.value, AMOUNT_FAULTS[minor], {"scale": SCALES[currency]})
    return amount


def minor_of(amount: str, currency: str) -> int:
    """Minor units of an amount that has been found payable."""
    minor = parse_amount(amount, currency)
    assert isinstance(minor, int)
    return minor


class MoneyBody(Body):
    """A body that names an amount of money. The currency comes first: it says how precise the amount may be."""

    currency: Currency
    amount: Amount

    @field_validator("amount")
    @classmethod
    def _payable(cls, amount: str, info: ValidationInfo) -> str:
        return payable(amount, info)

    @property
    def amount_minor(self) -> int:
        return minor_of(self.amount, self.currency)


AMOUNT_FAULTS = {
    AmountFault.UNKNOWN_CURRENCY: "unknown currency or asset",
    AmountFault.NOT_A_DECIMAL: "must be a decimal text such as 12.34",
    AmountFault.NOT_POSITIVE: "must be greater than zero",
    AmountFault.TOO_PRECISE: "must not have more than {scale} decimals",
    AmountFault.TOO_LARGE: "is larger than any payment may be",
}
