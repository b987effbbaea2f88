"""Settings that only payments has."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from libs.common.fields import Amount, Body, Currency, MoneyBody, payable
from libs.common.money import parse_amount
from libs.common.settings import Settings
from services.payments.domain.fees import FeeRule, FeeSchedule
from services.payments.domain.payment import Policy
from services.payments.domain.quota import PAYMENTS, DefaultQuotas

PERCENTAGE_DECIMALS_MAX = 4
CAPTURE_SECONDS_MAX = 14 * 24 * 3600
"""Accounts holds money for 30 days by default: there must be time left for people, before a capture and after it."""


def _a_text(value: object) -> object:
    # A number of JSON would have been a float before anyone could look at it.
    if not isinstance(value, str | Decimal):
        raise PydanticCustomError("not_a_text", 'must be a decimal text such as "1.4"')
    return value


class FeeTerms(Body):
    """The fee of payments in one currency. The currency comes first: it says how precise the amounts may be."""

    currency: Currency
    fixed: Amount | None = None
    percentage: Annotated[
        Decimal, BeforeValidator(_a_text), Field(ge=0, le=100, decimal_places=PERCENTAGE_DECIMALS_MAX)
    ] = Decimal(0)
    minimum: Amount | None = None
    maximum: Amount | None = None

    @field_validator("fixed", "minimum", "maximum")
    @classmethod
    def _payable(cls, amount: str | None, info: ValidationInfo) -> str | None:
        return None if amount is None else payable(amount, info)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        maximum_minor = self._minor(self.maximum)
        if maximum_minor is not None and (self._minor(self.minimum) or 0) > maximum_minor:
            raise PydanticCustomError("minimum_above_maximum", "the minimum must not be above the maximum")
        return self

    @property
    def rule(self) -> FeeRule:
        return FeeRule(
            fixed_minor=self._minor(self.fixed) or 0,
            share_ppm=int(self.percentage.scaleb(PERCENTAGE_DECIMALS_MAX)),
            minimum_minor=self._minor(self.minimum) or 0,
            maximum_minor=self._minor(self.maximum),
        )

    def _minor(self, amount: str | None) -> int | None:
        minor = None if amount is None else parse_amount(amount, self.currency)
        assert minor is None or isinstance(minor, int)
        return minor


class AmountPerDay(MoneyBody):
    """How much of a currency a client may order to pay in a day."""


T = TypeVar("T", FeeTerms, AmountPerDay)


def _one_each(terms: tuple[T, ...]) -> tuple[T, ...]:
    repeated = sorted(currency for currency, count in Counter(each.currency for each in terms).items() if count > 1)
    if repeated:
        raise PydanticCustomError("repeated", "more than one for {currencies}", {"currencies": ", ".join(repeated)})
    return terms


class PaymentsSettings(Settings):
    ask_again_seconds: float = Field(30, description="an answer is asked for again after this")
    suspend_seconds: float = Field(120, description="a payment without all answers is suspended after this")
    review_seconds: float = Field(
        5 * 24 * 3600,
        description="a suspended payment is given up after this, unless screening has doubts: then it waits for people",
    )
    capture_seconds: float = Field(
        7 * 24 * 3600,
        gt=0,
        le=CAPTURE_SECONDS_MAX,
        description="an authorised payment that its client has not captured is given up after this; 14 days at most",
    )

    fees: Annotated[tuple[FeeTerms, ...], AfterValidator(_one_each)] = Field(
        (),
        description="what payers owe on top, per currency, as JSON; parts left out are none:"
        ' `[{"currency": "EUR", "fixed": "0.25", "percentage": "1.4", "minimum": "0.30", "maximum": "20.00"}]`',
    )

    in_flight_max: int = Field(
        10_000,
        description="payments under way, those that wait for people or for a capture apart, beyond which no more are"
        " taken on",
    )
    intake_wait_seconds_max: float = Field(30, description="how long a file waits for room before it gets a 503")
    batch_bytes_max: int = Field(64 * 1024 * 1024, description="largest file of payments")
    refused_lines_days: int = Field(
        400, ge=30, description="how long it is kept why lines of a file were refused, for whoever sent it"
    )

    quota_payments_per_day: int | None = Field(
        None,
        ge=0,
        description="payments a client may order in a day, unless `quotas set` says otherwise; none: any number",
    )
    quota_amounts_per_day: Annotated[tuple[AmountPerDay, ...], AfterValidator(_one_each)] = Field(
        (),
        description="how much of each currency a client may order to pay in a day, as JSON; any amount of others:"
        ' `[{"currency": "EUR", "amount": "1000000.00"}]`',
    )

    @property
    def policy(self) -> Policy:
        return Policy(
            ask_again_after=timedelta(seconds=self.ask_again_seconds),
            suspend_after=timedelta(seconds=self.suspend_seconds),
            review_within=timedelta(seconds=self.review_seconds),
            capture_within=timedelta(seconds=self.capture_seconds),
        )

    @property
    def default_quotas(self) -> DefaultQuotas:
        payments = {} if self.quota_payments_per_day is None else {PAYMENTS: self.quota_payments_per_day}
        return {**payments, **{most.currency: most.amount_minor for most in self.quota_amounts_per_day}}

    @property
    def fee_schedule(self) -> FeeSchedule:
        return {terms.currency: terms.rule for terms in self.fees}
