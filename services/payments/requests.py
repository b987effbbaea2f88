"""What a client sends to order a payment: the same shape alone, as a JSON line, and as a row of CSV."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from libs.common.clients import Client
from libs.common.fields import Amount, Body, Country, Id, Instant, MoneyBody, PartialDate, text
from libs.common.lei import is_lei
from schemas.payments.events import Channel, Institution, Party, PartyKind, PaymentPersonalData
from services.payments.domain.intake import InitiatePayment
from services.payments.domain.party_data import SupplyData, Told
from services.payments.domain.payment import Capture

EXAMPLE: dict[str, Any] = {
    "currency": "EUR",
    "amount": "12.34",
    "debtor": {"account_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061", "name": "Ann Miller"},
    "creditor": {"account_id": "0199a2b4-5c6d-7e8f-8b0c-2d3e4f506172", "name": "Ben Baker", "country": "DE"},
    "reference": "invoice 4711",
}


def _a_known_channel(channel: Channel) -> Channel:
    # It stands in events for a channel of a later version; nobody orders by it.
    if channel is Channel.UNKNOWN:
        raise PydanticCustomError("unknown_channel", "must be a channel that is known")
    return channel


def _a_known_kind(kind: PartyKind) -> PartyKind:
    if kind is PartyKind.UNKNOWN:
        raise PydanticCustomError("unknown_kind", "must be person or company")
    return kind


def _a_lei(text: str) -> str:
    if not is_lei(text):
        raise PydanticCustomError("not_a_lei", "must be a legal entity identifier: its check digits are wrong")
    return text


LEI_PATTERN = "^[A-Z0-9]{18}[0-9]{2}$"


class PartyData(Body):
    """What may be asked to be known about one side of a payment."""

    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None
    kind: Annotated[PartyKind, AfterValidator(_a_known_kind)] | None = None
    account_number: Annotated[str, text(100)] | None = Field(
        None, description="of its account elsewhere, or the address of its wallet"
    )
    birth_place: Annotated[str, text(70)] | None = None
    document_number: Annotated[str, text(35)] | None = Field(
        None, description="of an official document of a person, or of the register of a company"
    )
    customer_number: Annotated[str, text(50)] | None = Field(None, description="at its institution")

    @property
    def told(self) -> Told:
        return Told(**dict(self))


class PartyBody(PartyData):
    """One side of a payment. Whose account is not held with us has an `institution`, or a wallet of its own; its
    `account_id` is the account that stands for it here."""

    account_id: Id
    name: Annotated[str, text()]
    institution: Annotated[str, text()] | None = None
    institution_country: Country | None = None
    institution_lei: Annotated[str, text(20, pattern=LEI_PATTERN), AfterValidator(_a_lei)] | None = None
    is_self_hosted: bool = Field(False, description="whether it is paid from or to a wallet that it holds itself")

    @model_validator(mode="after")
    def _is_held_in_one_way(self) -> Self:
        if self.is_self_hosted and self.institution is not None:
            raise PydanticCustomError("self_hosted_elsewhere", "a self-hosted wallet is held by no institution")
        if self.institution is None and (self.institution_country or self.institution_lei):
            raise PydanticCustomError("institution_missing", "an institution must be named")
        return self

    @property
    def party(self) -> Party:
        return Party(
            name=self.name,
            country=self.country,
            birth_date=self.birth_date,
            address=self.address,
            kind=self.kind or PartyKind.UNKNOWN,
            account_number=self.account_number,
            birth_place=self.birth_place,
            document_number=self.document_number,
            customer_number=self.customer_number,
        )

    @property
    def held_by(self) -> Institution | None:
        """Who holds its account, if not we do."""
        if self.institution is None and not self.is_self_hosted:
            return None
        return Institution(
            name=self.institution,
            country=self.institution_country,
            lei=self.institution_lei,
            is_self_hosted=self.is_self_hosted,
        )


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
        self, payment_id: str, client: Client, *, batch_id: str | None = None, line_number: int | None = None
    ) -> InitiatePayment:
        return InitiatePayment(
            payment_id=payment_id,
            client_id=client.client_id,
            tenant_id=client.tenant_id,
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
            debtor_institution=self.debtor.held_by,
            creditor_institution=self.creditor.held_by,
            batch_id=batch_id,
            line_number=line_number,
        )


class DataBody(Body):
    """More about the parties of a payment."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"debtor": {"birth_date": "1980-02-03", "birth_place": "Ghent"}}]}
    )

    debtor: PartyData = PartyData()
    creditor: PartyData = PartyData()

    def command(self, payment_id: str, client_id: str | None) -> SupplyData:
        return SupplyData(
            payment_id=payment_id, client_id=client_id, debtor=self.debtor.told, creditor=self.creditor.told
        )


class PartBody(Body):
    """How much of a payment, in its currency; all that there is if nothing is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "12.00"}]})

    amount: Amount | None = None
