"""What clients send to accounts: customers to register, accounts to open, money that came in from outside."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from libs.common import ids
from libs.common.fields import (
    Amount,
    Body,
    Country,
    Currency,
    Id,
    Instant,
    MoneyBody,
    PartialDate,
    minor_of,
    payable,
    text,
)
from schemas.accounts.events import CustomerKind, CustomerPersonalData
from services.accounts.domain.customers import RegisterCustomer, SetBounds
from services.accounts.domain.holds import PlaceHold, PostHold
from services.accounts.domain.transfers import OF_CONVERSIONS, Booking, Convert, Fund, Reverse

BATCH_LENGTH_MAX = 1_000
BATCH_BYTES_MAX = 2 * 1024 * 1024
"""Of a batch at its longest, with every field as long as people write it."""
BATCH_PATHS = ("/v1/customer-batches", "/v1/funding-batches", "/v1/transfer-batches", "/v1/hold-posting-batches")
METADATA_LENGTH_MAX = 20
RATE = r"^[0-9]{1,10}(\.[0-9]{1,10})?$"


CUSTOMER: dict[str, Any] = {"name": "Ann Miller", "birth_date": "1980-05-17", "country": "DE", "currencies": ["EUR"]}
ACCOUNT: dict[str, Any] = {
    "customer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5060",
    "currency": "USD",
    "metadata": {"product": "travel"},
}
FUNDING: dict[str, Any] = {
    "account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "currency": "EUR",
    "amount": "250.00",
    "reference": "salary",
    "metadata": {"bank_reference": "NTRF-2026-11-3391"},
    "effective_at": "2026-11-20T00:00:00Z",
}
TRANSFER: dict[str, Any] = {
    "debit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "credit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062",
    "currency": "EUR",
    "amount": "12.50",
    "reference": "correction of 3 March",
    "metadata": {"ticket": "4711"},
}
CONVERSION: dict[str, Any] = {
    "debit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "credit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5063",
    "currency": "EUR",
    "amount": "100.00",
    "credited_currency": "USD",
    "rate": "1.0843",
    "reference": "invoice 4711",
    "metadata": {"quote": "Q-88213"},
}
HOLD: dict[str, Any] = {
    "debit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "credit_account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062",
    "currency": "EUR",
    "amount": "80.00",
    "expires_at": "2026-12-01T00:00:00Z",
}
HOLD_POSTING: dict[str, Any] = {
    "currency": "EUR",
    "amount": "30.00",
    "reference": "first delivery",
    "metadata": {"delivery": "1"},
}
HOLD_ID = "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5064"

Reference = Annotated[
    str,
    text(),
    Field(description="what it is for: no personal data, for it stays as long as the books do"),
]
Metadata = Annotated[
    dict[Annotated[str, text(40)], Annotated[str, text()]],
    Field(max_length=METADATA_LENGTH_MAX, description="whatever its owner wants to find again"),
]
EffectiveAt = Annotated[Instant, Field(description="when it counts, if that is not now: its value date")]


class NewCustomer(Body):
    """A person or company that wants to be served."""

    model_config = ConfigDict(json_schema_extra={"examples": [CUSTOMER]})

    name: Annotated[str, text()]
    kind: Literal[CustomerKind.PERSON, CustomerKind.COMPANY] = CustomerKind.PERSON
    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None
    currencies: Annotated[tuple[Currency, ...], Field(max_length=20)] = ()

    def command(self, client_id: str | None) -> RegisterCustomer:
        return RegisterCustomer(
            client_id=client_id,
            customer_id=ids.new(),
            kind=self.kind,
            personal=CustomerPersonalData(
                name=self.name, country=self.country, birth_date=self.birth_date, address=self.address
            ),
            currencies=tuple(dict.fromkeys(self.currencies)),
        )


class NewCustomers(Body):
    """Up to a thousand customers."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customers": [CUSTOMER, {"name": "Miller Ltd", "kind": "company"}]}]}
    )

    customers: Annotated[list[NewCustomer], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


class NewAccount(Body):
    """One more account for a verified customer."""

    model_config = ConfigDict(json_schema_extra={"examples": [ACCOUNT]})

    customer_id: Id
    currency: Currency
    metadata: Metadata | None = None


class Freezing(Body):
    """How an account is frozen."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"may_receive": True}]})

    may_receive: bool = Field(False, description="whether money may still come in")


class Bounds(Body):
    """How far an account may be overdrawn, and how much it may hold."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"currency": "EUR", "overdraft": "500.00", "ceiling": "100000.00"}]}
    )

    currency: Currency
    overdraft: Amount | None = Field(None, description="how far below zero it may go; not at all, if not given")
    ceiling: Amount | None = Field(None, description="the most it may hold; any amount, if not given")

    @field_validator("overdraft", "ceiling")
    @classmethod
    def _payable(cls, amount: str | None, info: ValidationInfo) -> str | None:
        return amount if amount is None else payable(amount, info)

    def command(self, account_id: str) -> SetBounds:
        return SetBounds(
            account_id=account_id,
            currency=self.currency,
            floor_minor=-minor_of(self.overdraft, self.currency) if self.overdraft else 0,
            ceiling_minor=minor_of(self.ceiling, self.currency) if self.ceiling else None,
        )


class Funding(MoneyBody):
    """Money that came in from outside, to be credited to an account."""

    model_config = ConfigDict(json_schema_extra={"examples": [FUNDING]})

    account_id: Id
    reference: Reference | None = None
    metadata: Metadata | None = None
    effective_at: EffectiveAt | None = None

    def command(self, tenant_id: str | None) -> Fund:
        return Fund(
            tenant_id=tenant_id,
            transfer_id=ids.new(),
            account_id=self.account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            metadata=self.metadata,
            effective_at=self.effective_at,
        )


class Fundings(Body):
    """Up to a thousand fundings."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"fundings": [FUNDING]}]})

    fundings: Annotated[list[Funding], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


class _BetweenAccounts(MoneyBody):
    debit_account_id: Id = Field(description="the account it is taken from")
    credit_account_id: Id = Field(description="the account it is given to")

    @model_validator(mode="after")
    def _two_accounts(self) -> Self:
        if self.debit_account_id == self.credit_account_id:
            raise PydanticCustomError("same_account", "money can't be moved from an account to itself")
        return self


class NewTransfer(_BetweenAccounts):
    """Money to be moved from one account to another."""

    model_config = ConfigDict(json_schema_extra={"examples": [TRANSFER]})

    reference: Reference | None = None
    metadata: Metadata | None = None
    effective_at: EffectiveAt | None = None

    def booking(self) -> Booking:
        return Booking(
            transfer_id=ids.new(),
            debit_account_id=self.debit_account_id,
            credit_account_id=self.credit_account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            metadata=self.metadata,
            effective_at=self.effective_at,
        )


class NewTransfers(Body):
    """Up to a thousand transfers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "is_linked": True,
                    "transfers": [TRANSFER, {**TRANSFER, "amount": "0.50", "reference": "its fee, given back"}],
                }
            ]
        }
    )

    is_linked: bool = Field(False, description="whether all of them are made or none")
    transfers: Annotated[list[NewTransfer], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


class NewConversion(_BetweenAccounts):
    """Money to be changed into another currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONVERSION]})

    credited_currency: Currency
    rate: Annotated[str, StringConstraints(pattern=RATE)] = Field(
        description="units of the credited currency for one of the debited: up to ten digits before and after the point"
    )
    reference: Reference | None = None
    metadata: Metadata | None = Field(
        None, description="besides `rate` and `remainder`, which the books add themselves"
    )
    effective_at: EffectiveAt | None = None

    @field_validator("metadata")
    @classmethod
    def _not_of_the_books(cls, metadata: dict[str, str] | None) -> dict[str, str] | None:
        if taken := [name for name in OF_CONVERSIONS if name in (metadata or {})]:
            raise PydanticCustomError("reserved", "{name} is what the books say themselves", {"name": taken[0]})
        return metadata

    @model_validator(mode="after")
    def _two_currencies(self) -> Self:
        if self.credited_currency == self.currency:
            raise PydanticCustomError("same_currency", "there is nothing to convert")
        if not Decimal(self.rate):
            raise PydanticCustomError("not_positive", "a rate must be greater than zero")
        return self

    def command(self) -> Convert:
        return Convert(
            transfer_id=ids.new(),
            debit_account_id=self.debit_account_id,
            credit_account_id=self.credit_account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            credited_currency=self.credited_currency,
            rate=Decimal(self.rate),
            reference=self.reference,
            metadata=self.metadata,
            effective_at=self.effective_at,
        )


class Reversal(Body):
    """Why a transfer is taken back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reference": "booked twice", "metadata": {"ticket": "4712"}}]}
    )

    reference: Reference | None = None
    metadata: Metadata | None = None
    effective_at: EffectiveAt | None = None

    def command(self, transfer_id: str, tenant_id: str | None, *, by_staff: bool) -> Reverse:
        return Reverse(
            transfer_id=transfer_id,
            reference=self.reference,
            metadata=self.metadata,
            effective_at=self.effective_at,
            by_staff=by_staff,
            tenant_id=tenant_id,
        )


class NewHold(_BetweenAccounts):
    """Money to be set aside."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOLD]})

    expires_at: Instant | None = Field(None, description="when it ends by itself; at the latest when any hold does")

    def command(self, tenant_id: str | None) -> PlaceHold:
        return PlaceHold(
            tenant_id=tenant_id,
            hold_id=ids.new(),
            debit_account_id=self.debit_account_id,
            credit_account_id=self.credit_account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            expires_at=self.expires_at,
        )


class HoldPosting(Body):
    """What of a hold is to be moved: all that is left, if no amount is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOLD_POSTING]})

    currency: Currency | None = None
    amount: Amount | None = None
    is_final: bool = Field(False, description="whether what is left then is given back")
    reference: Reference | None = None
    metadata: Metadata | None = None
    effective_at: EffectiveAt | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.currency is None) != (self.amount is None):
            raise PydanticCustomError("missing", "currency and amount go together")
        return self

    @field_validator("amount")
    @classmethod
    def _payable(cls, amount: str | None, info: ValidationInfo) -> str | None:
        return amount if amount is None else payable(amount, info)

    def command(self, hold_id: str, tenant_id: str | None) -> PostHold:
        amount_minor = minor_of(self.amount, self.currency) if self.amount and self.currency else None
        return PostHold(
            hold_id=hold_id,
            tenant_id=tenant_id,
            transfer_id=ids.new(),
            amount_minor=amount_minor,
            currency=self.currency,
            is_final=self.is_final,
            reference=self.reference,
            metadata=self.metadata,
            effective_at=self.effective_at,
        )


class HoldPostingOf(HoldPosting):
    """What of one hold is to be moved."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"hold_id": HOLD_ID, **HOLD_POSTING}]})

    hold_id: Id


class HoldPostings(Body):
    """What of up to a thousand holds is to be moved."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"postings": [{"hold_id": HOLD_ID, **HOLD_POSTING, "is_final": True}]}]}
    )

    is_linked: bool = Field(False, description="whether all of them are posted or none")
    postings: Annotated[list[HoldPostingOf], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]
