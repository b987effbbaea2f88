"""What clients send to accounts: customers to register, accounts to open, money that came in from outside."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from libs.common import ids
from libs.common.clients import Scope
from libs.common.fields import Body, Country, Currency, Id, Instant, MoneyBody, PartialDate, text
from libs.common.http import Caller, caller
from schemas.accounts.events import CustomerKind, CustomerPersonalData
from services.accounts.domain.customers import Fund, RegisterCustomer

BATCH_LENGTH_MAX = 1_000
BATCH_BYTES_MAX = 2 * 1024 * 1024
"""Of a batch at its longest, with every field as long as people write it."""
BATCH_PATHS = ("/v1/customer-batches", "/v1/funding-batches")

Reader = Annotated[Caller, caller(Scope.READ)]
Staff = Annotated[Caller, caller(Scope.STAFF)]

CUSTOMER: dict[str, Any] = {"name": "Ann Miller", "birth_date": "1980-05-17", "country": "DE", "currencies": ["EUR"]}
FUNDING: dict[str, Any] = {
    "account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "currency": "EUR",
    "amount": "250.00",
    "reference": "salary",
}


class NewCustomer(Body):
    """A person or company that wants to be served."""

    model_config = ConfigDict(json_schema_extra={"examples": [CUSTOMER]})

    name: Annotated[str, text()]
    kind: Literal[CustomerKind.PERSON, CustomerKind.COMPANY] = CustomerKind.PERSON
    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None
    currencies: Annotated[tuple[Currency, ...], Field(max_length=20)] = ()

    def command(self) -> RegisterCustomer:
        return RegisterCustomer(
            customer_id=ids.new(),
            kind=self.kind,
            personal=CustomerPersonalData(
                name=self.name, country=self.country, birth_date=self.birth_date, address=self.address
            ),
            currencies=tuple(dict.fromkeys(self.currencies)),
        )


class NewCustomers(Body):
    """Up to a thousand customers."""

    customers: Annotated[list[NewCustomer], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


class NewAccount(Body):
    """One more account for a verified customer."""

    customer_id: Id
    currency: Currency


class Funding(MoneyBody):
    """Money that came in from outside, to be credited to an account."""

    model_config = ConfigDict(json_schema_extra={"examples": [FUNDING]})

    account_id: Id
    reference: Annotated[str, text()] | None = None
    effective_at: Instant | None = None

    def command(self) -> Fund:
        return Fund(
            transfer_id=ids.new(),
            account_id=self.account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reference=self.reference,
            effective_at=self.effective_at,
        )


class Fundings(Body):
    """Up to a thousand fundings."""

    fundings: Annotated[list[Funding], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]
