"""What clients and staff send to fraud: payments to be assessed, labels, rulebooks, releases, entries of lists."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from libs.common.answers import PAGE_LENGTH_MAX
from libs.common.fields import Body, Country, Filters, Id, Instant, MoneyBody, text
from schemas.fraud.events import Label, VersionState
from schemas.payments.events import Channel, Party, PaymentOrder, PaymentPersonalData
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.lists import AddListEntry, RemoveListEntry
from services.fraud.queries.comparisons import DAYS, DAYS_MAX, Window

LABELS_MAX = 1_000

Name = Annotated[str, text(100), Field(examples=["cards, winter"])]
Reason = Annotated[str, text(), Field(examples=["three weeks in the shadow without a miss"])]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$"), Field(examples=["3f9a0c1d2e4b"])]
# No more than words: files with it are opened in programs that take some characters for formulas.
Scenario = Annotated[str, StringConstraints(pattern=r"^\w[\w .,:/-]{0,99}$"), Field(examples=["stolen card"])]
ListName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$"), Field(examples=["blocked"])]

_ACCOUNTS = "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061", "0199a2b4-5c6d-7e8f-8b0c-2d3e4f506172"
_KINDS = Literal[EntityKind.DEBTOR, EntityKind.CREDITOR, EntityKind.DEVICE]
ASSESSMENT: dict[str, Any] = {
    "currency": "EUR",
    "amount": "12.34",
    "debtor": {"account_id": _ACCOUNTS[0], "country": "DE"},
    "creditor": {"account_id": _ACCOUNTS[1], "country": "FR"},
    "channel": "mobile",
    "device_id": "phone-4711",
    "ip_country": "DE",
}
LABELS: list[Any] = [
    {"payment_id": "0199a2b4-5c6d-7e8f-9c1d-3e4f50617283", "label": "fraud", "scenario": "stolen card"},
    {"payment_id": "0199a2b4-5c6d-7e8f-9d2e-4f5061728394", "label": "genuine"},
]
RULEBOOK: dict[str, Any] = {
    "name": "cards, winter",
    "text": 'threshold review 0.5\nthreshold block 0.9\n\nrule large\n    "The amount is large."\n'
    '    when amount > 1_000\n    score 0.6\n    because "{ordered_amount} is much"\n',
}
ENTRY: dict[str, Any] = {
    "list": "blocked",
    "kind": "creditor",
    "account_id": _ACCOUNTS[1],
    "reason": "collects what phishing brings in",
    "until": "2027-01-01T00:00:00Z",
}


class SideBody(Body):
    """One side of a payment. Fraud asks for no names."""

    account_id: Id
    country: Country | None = None

    @property
    def party(self) -> Party:
        return Party(name="", country=self.country)


class NewAssessment(MoneyBody):
    """A payment that is not made yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [ASSESSMENT]})

    debtor: SideBody
    creditor: SideBody
    channel: Literal[Channel.API, Channel.BRANCH, Channel.CARD, Channel.FILE, Channel.MOBILE, Channel.WEB] = Channel.API
    is_cash: bool = False
    device_id: Annotated[str, text()] | None = None
    ip_country: Country | None = None
    instructed_at: Instant | None = Field(None, description="now, if not given")

    @field_validator("creditor")
    @classmethod
    def _another(cls, creditor: SideBody, info: ValidationInfo) -> SideBody:
        if (debtor := info.data.get("debtor")) is not None and debtor.account_id == creditor.account_id:
            raise PydanticCustomError("same_account", "must be another account than the one that pays")
        return creditor

    def order(self, client_id: str) -> PaymentOrder:
        return PaymentOrder(
            client_id=client_id,
            debtor_account_id=self.debtor.account_id,
            creditor_account_id=self.creditor.account_id,
            debtor_customer_id="",
            creditor_customer_id="",
            amount_minor=self.amount_minor,
            currency=self.currency,
            channel=self.channel,
            is_cash=self.is_cash,
            device_id=self.device_id,
            ip_country=self.ip_country,
            instructed_at=self.instructed_at or datetime.now(UTC),
            personal=PaymentPersonalData(debtor=self.debtor.party, creditor=self.creditor.party),
        )


class NewLabel(Body):
    """What a payment turned out to be."""

    payment_id: Id
    label: Literal[Label.FRAUD, Label.GENUINE]
    scenario: Scenario | None = None


class NewLabels(Body):
    """Up to a thousand labels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"labels": LABELS}]})

    labels: Annotated[list[NewLabel], Field(min_length=1, max_length=LABELS_MAX)]


class RulebookText(Body):
    """A rulebook, exactly as it is written."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": RULEBOOK["text"]}]})

    # As it stands in the file: its version is a hash of every character.
    text: Annotated[str, StringConstraints(min_length=1, strip_whitespace=False)]


class NewRulebook(RulebookText):
    """A rulebook to be kept as a draft."""

    model_config = ConfigDict(json_schema_extra={"examples": [RULEBOOK]})

    name: Name


class NewState(Body):
    """What a version is to be used for, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "shadow", "reason": "to be compared"}]})

    state: Literal[VersionState.SHADOW, VersionState.LIVE, VersionState.RETIRED]
    reason: Reason


class EntryBody(Body):
    """An account or a device, and a list. A device goes by the name that clients give it, which is not kept."""

    list_name: ListName = Field(alias="list")
    kind: _KINDS = Field(description="an account as payer, an account as payee, or a device")
    account_id: Id | None = Field(None, validate_default=True)
    device_id: Annotated[str, text()] | None = Field(None, validate_default=True)
    reason: Reason

    @field_validator("account_id", "device_id")
    @classmethod
    def _of_its_kind(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if kind is not None:
            is_asked = (kind is EntityKind.DEVICE) == (info.field_name == "device_id")
            if is_asked and value is None:
                raise PydanticCustomError("missing", "an entry of this kind needs it")
            if not is_asked and value is not None:
                raise PydanticCustomError("unknown_field", "an entry of this kind has none")
        return value

    @property
    def entity_id(self) -> str:
        if self.device_id is not None:
            return device_entity_id(self.device_id)
        assert self.account_id is not None
        return self.account_id


class NewListEntry(EntryBody):
    """Someone to be put on a list, for good or until a time."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY]})

    until: Instant | None = None

    def command(self, by: str) -> AddListEntry:
        return AddListEntry(
            kind=self.kind,
            entity_id=self.entity_id,
            list_name=self.list_name,
            by=by,
            reason=self.reason,
            until=self.until,
        )


class ListEntryRemoval(EntryBody):
    """Someone to be taken off a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [{k: v for k, v in ENTRY.items() if k != "until"}]})

    def command(self, by: str) -> RemoveListEntry:
        return RemoveListEntry(
            kind=self.kind, entity_id=self.entity_id, list_name=self.list_name, by=by, reason=self.reason
        )


class VersionFilters(Filters):
    """Which page of versions."""

    cursor: Version | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class EntryFilters(Filters):
    """Which entries of lists."""

    list_name: ListName | None = Field(None, alias="list")
    entity: Id | None = Field(None, description="an account, or a device by the `entity_id` that entries show")
    cursor: Annotated[str, text()] | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class WindowFilters(Filters):
    """When payments were judged."""

    since: Instant | None = Field(
        None, description=f"at most {DAYS_MAX} days before the end; {DAYS} days before it, if not given"
    )
    until: Instant | None = Field(None, description="now, if not given")

    @model_validator(mode="after")
    def _not_too_long(self) -> Self:
        if not self.window.is_sensible:
            raise PydanticCustomError("wrong_window", f"must end after it begins, at most {DAYS_MAX} days later")
        return self

    @property
    def window(self) -> Window:
        return Window.of(self.since, self.until, now=datetime.now(UTC))
