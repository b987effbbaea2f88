"""What a client sends to order a payment: the same shape alone, as a JSON line, and as a row of CSV."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict
from pydantic_core import PydanticCustomError

from libs.common.clients import Scope
from libs.common.fields import Amount, Body, Country, Id, Instant, MoneyBody, PartialDate, text
from libs.common.http import Caller, caller
from schemas.payments.events import Channel, Party, PaymentPersonalData
from services.payments.domain.intake import InitiatePayment
from services.payments.domain.payment import Capture

EXAMPLE: dict[str, Any] = {
    "currency": "EUR",
    "amount": "12.34",
    "debtor": {"account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061", "name": "Ann Miller"},
    "creditor": {"account_id": "0199a2b4-5c6d-7e8f-8b0c-2d3e4f506172", "name": "Ben Baker", "country": "DE"},
    "reference": "invoice 4711",
}

Writer = Annotated[Caller, caller(Scope.WRITE)]
Reader = Annotated[Caller, caller(Scope.READ)]


def _a_known_channel(channel: Channel) -> Channel:
    # It stands in events for a channel of a later version; nobody orders by it.
    if channel is Channel.UNKNOWN:
        raise PydanticCustomError("unknown_channel", "must be a channel that is known")
    return channel


class PartyBody(Body):
    """One side of a payment."""

    account_id: Id
    name: Annotated[str, text()]
    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None

    @property
    def party(self) -> Party:
        return Party(name=self.name, country=self.country, birth_date=self.birth_date, address=self.address)


class NewPayment(MoneyBody):
    """An order to pay."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    debtor: PartyBody
    creditor: PartyBody
    channel: Annotated[Channel, AfterValidator(_a_known_channel)] = Channel.API
    is_cash: bool = False
    device_id: Annotated[str, text()] | None = None
    ip_country: Country | None = None
    purpose: Annotated[str, text(4, pattern="^[A-Z]{4}$")] | None = None
    reference: Annotated[str, text(140)] | None = None
    instructed_at: Instant | None = None
    capture: Capture = Capture.AUTOMATIC

    def command(
        self, payment_id: str, client_id: str, *, batch_id: str | None = None, line_number: int | None = None
    ) -> InitiatePayment:
        return InitiatePayment(
            payment_id=payment_id,
            client_id=client_id,
            debtor_account_id=self.debtor.account_id,
            creditor_account_id=self.creditor.account_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            channel=self.channel,
            is_cash=self.is_cash,
            device_id=self.device_id,
            ip_country=self.ip_country,
            purpose=self.purpose,
            instructed_at=self.instructed_at,
            capture=self.capture,
            personal=PaymentPersonalData(
                debtor=self.debtor.party, creditor=self.creditor.party, reference=self.reference
            ),
            batch_id=batch_id,
            line_number=line_number,
        )


class PartBody(Body):
    """How much of a payment, in its currency; all that there is if nothing is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "12.00"}]})

    amount: Amount | None = None
