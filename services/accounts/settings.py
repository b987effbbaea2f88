"""Settings that only accounts has."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from libs.common.fields import Currency
from libs.common.settings import Settings
from services.accounts.domain.limits import LIMIT_UNITS, LimitTable, limit_table

LIMIT_UNITS_MAX = 1_000_000


def _a_text(value: object) -> object:
    # A number of JSON would have been a float before anyone could look at it.
    if not isinstance(value, str | Decimal):
        raise PydanticCustomError("not_a_text", 'must be a decimal text such as "1.5"')
    return value


def _over_the_listed(units: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    return {**LIMIT_UNITS, **units}


Units = Annotated[Decimal, BeforeValidator(_a_text), Field(gt=0, le=LIMIT_UNITS_MAX)]


class AccountsSettings(Settings):
    hold_seconds: int = Field(
        30 * 24 * 3600, description="the backstop: a hold ends after this, which is longer than the longest case"
    )
    limit_units: Annotated[Mapping[Currency, Units], AfterValidator(_over_the_listed)] = Field(
        {},
        validate_default=True,
        description="whole units of a currency that count as one euro in customers' limits, as JSON, over those of"
        ' limits.py: `{"JPY": "160", "ISK": "140"}`. In a currency that is listed nowhere, whoever has limits may pay'
        " nothing",
    )
    checked_accounts: int = Field(1_000, ge=1, description="accounts compared with their entries at each look, in turn")
    checked_holds: int = Field(1_000, ge=1, description="holds compared with their transfers at each look, in turn")
    checked_entries: int = Field(
        2_000, ge=1, description="entries whose hashes are computed anew at each look, in turn"
    )

    @property
    def hold_lifetime(self) -> timedelta:
        return timedelta(seconds=self.hold_seconds)

    @property
    def limits(self) -> LimitTable:
        return limit_table(self.limit_units)
