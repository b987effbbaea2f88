"""What is known about the parties of a payment that rules ask about, told with its order or after it, and what of it is
missing. Pure.
"""

import re
from datetime import date, datetime
from typing import Any

from libs.common.countries import is_country
from libs.common.record import Record, replace
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, Institution, Party, PartyKind, PaymentOrder
from services.compliance.travel.rules import Datum, Sum, TravelRule

SIDES = (PartyRole.DEBTOR, PartyRole.CREDITOR)
WHOLE_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TOLD_MAX = 50
"""How often somebody may tell something about one payment."""


class Details(Record, omit_defaults=True):
    """What was told about a party besides its order; None: nothing."""

    country: str | None = None
    birth_date: str | None = None
    address: str | None = None
    kind: PartyKind | None = None
    account_number: str | None = None
    birth_place: str | None = None
    document_number: str | None = None
    customer_number: str | None = None
    wallet_ownership: str | None = None
    """How the party has shown that the wallet is its own."""


class Telling(Record):
    """Who told something, when, and what it was about."""

    by: str
    at: datetime
    fields: tuple[str, ...]


class TravelRecord(Record, omit_defaults=True):
    """A payment that rules ask about."""

    payment_id: str
    order: PaymentOrder
    rules: tuple[str, ...]
    """The names of the rules that ask."""
    asked_on: date
    """The day of its first screening: by it the rules are judged however often it is looked at again."""
    linked: tuple[Sum, ...] = ()
    """What went between the same two parties shortly before: taken together with it, where a rule asks that."""
    debtor: Details = Details()
    creditor: Details = Details()
    tellings: tuple[Telling, ...] = ()
    message: str | None = None
    """The message about it as it came in, if one did."""

    def of(self, side: PartyRole) -> Details:
        return self.debtor if side is PartyRole.DEBTOR else self.creditor


def party_of(order: PaymentOrder, side: PartyRole) -> Party:
    """One side of an order whose data can be read."""
    assert not isinstance(order.personal, EncryptedPersonalData)
    return order.personal.debtor if side is PartyRole.DEBTOR else order.personal.creditor


def held_by(order: PaymentOrder, side: PartyRole) -> Institution | None:
    """Who holds the account of a side, if not we do."""
    return order.debtor_institution if side is PartyRole.DEBTOR else order.creditor_institution


def known_about(record: TravelRecord, side: PartyRole) -> Details:
    """All that is known about a party: by the order, by what was told, and by its being our own customer."""
    order, party, told = record.order, party_of(record.order, side), record.of(side)
    is_ours = held_by(order, side) is None
    account_id, customer_id = (
        (order.debtor_account_id, order.debtor_customer_id)
        if side is PartyRole.DEBTOR
        else (order.creditor_account_id, order.creditor_customer_id)
    )
    values = {name: _told_or_ordered(told, party, name) for name in _OF_PARTY}
    if is_ours:
        values["account_number"] = values["account_number"] or account_id
        values["customer_number"] = values["customer_number"] or customer_id
    if values["kind"] is PartyKind.UNKNOWN:
        values["kind"] = None
    return Details(**values, wallet_ownership=told.wallet_ownership)


def missing(record: TravelRecord, rules: tuple[TravelRule, ...]) -> tuple[str, ...]:
    """The fields that rules ask for and that are not known, as `debtor.address`. Whether encrypted data are complete
    nobody can tell here: a person who can read them looks at such a payment anyway."""
    if isinstance(record.order.personal, EncryptedPersonalData):
        return ()
    found = []
    for side in SIDES:
        asked = {datum for rule in rules for datum in (rule.debtor if side is PartyRole.DEBTOR else rule.creditor)}
        found += [f"{side.value}.{field}" for field in _missing(record, side, asked, is_asked_about=bool(rules))]
    return tuple(found)


def completed(record: TravelRecord) -> PaymentOrder:
    """The order with what was told about its parties: what its parties are screened by."""
    if isinstance(record.order.personal, EncryptedPersonalData):
        return record.order
    personal = record.order.personal
    return replace(
        record.order,
        personal=replace(
            personal,
            debtor=_completed(personal.debtor, record.debtor),
            creditor=_completed(personal.creditor, record.creditor),
        ),
    )


def contradicted(record: TravelRecord, side: PartyRole, told: Details) -> str | None:
    """The first field that is known already, and otherwise. What could not stand in a message may be put right."""
    known = known_about(record, side)
    for name in told.__struct_fields__:
        before, now = getattr(known, name), getattr(told, name)
        is_refined = name == "birth_date" and str(now).startswith(str(before))
        if now is not None and before != now and _counts(name, before, record.asked_on) and not is_refined:
            return name
    return None


def told_fields(told: Details) -> tuple[str, ...]:
    """What somebody tells something about."""
    return tuple(name for name in told.__struct_fields__ if getattr(told, name) is not None)


def merged(known: Details, told: Details) -> Details:
    """What was told before, with what is told now."""
    return replace(known, **{name: getattr(told, name) for name in told_fields(told)})


def whole_date(text: str) -> date | None:
    """The day that a text names, if it names a day that the calendar has."""
    try:
        return date.fromisoformat(text) if WHOLE_DATE.fullmatch(text) else None
    except ValueError:
        return None


def _missing(record: TravelRecord, side: PartyRole, asked: set[Datum], *, is_asked_about: bool) -> list[str]:
    held, known = held_by(record.order, side), known_about(record, side)
    # A message names both parties, and has to say what each is; of our own customers we know it.
    needed = ["kind"] if is_asked_about and held is not None else []
    if Datum.ACCOUNT_NUMBER in asked:
        needed.append("account_number")
    if Datum.ADDRESS in asked:
        needed += ["address", "country"]
    if Datum.IDENTITY in asked:
        needed += _identity(known, record.asked_on)
    if Datum.WALLET_OWNERSHIP in asked and held is not None and held.is_self_hosted:
        needed.append("wallet_ownership")
    return [name for name in dict.fromkeys(needed) if not _is_known(known, name, record.asked_on)]


def _is_known(known: Details, name: str, on: date) -> bool:
    value = getattr(known, name)
    # A year of birth is not the day that is asked for.
    return _counts(name, value, on) and (name != "birth_date" or whole_date(value) is not None)


def _counts(name: str, value: str | None, on: date) -> bool:
    """Whether a value says anything: that is, could stand in a message."""
    if value is None or not value.strip():
        return False
    if name == "country":
        return is_country(value)
    if name != "birth_date":
        return True
    if not WHOLE_DATE.fullmatch(value):
        return value <= on.isoformat()[: len(value)]
    born = whole_date(value)
    return born is not None and born < on


def _identity(known: Details, on: date) -> list[str]:
    """The alternative of which less is missing; where both are as far, the shorter one. Companies are not born."""
    papers, birth = ["address", "country", "document_number", "customer_number"], ["birth_date", "birth_place"]
    if known.kind is PartyKind.COMPANY:
        return papers
    return min((birth, papers), key=lambda fields: sum(not _is_known(known, name, on) for name in fields))


_OF_PARTY = tuple(name for name in Details.__struct_fields__ if name != "wallet_ownership")


def _completed(party: Party, told: Details) -> Party:
    return replace(party, **{name: _told_or_ordered(told, party, name) for name in _OF_PARTY})


def _told_or_ordered(told: Details, party: Party, name: str) -> Any:
    """What was told stands, also against what the order says since, unless that says when somebody was born more
    exactly: the same for whom we look for and for whom a message names."""
    ordered, now = getattr(party, name), getattr(told, name)
    is_refined = name == "birth_date" and now is not None and (ordered or "").startswith(now)
    return ordered if now is None or is_refined else now
