"""What a case's page shows of the travel rule: what is asked, known and missing, in words."""

from libs.common.record import Record
from schemas.compliance.events import PartyRole
from services.compliance.desk.render import amount
from services.compliance.travel.record import SIDES, TravelRecord, held_by, missing
from services.compliance.travel.rules import TravelRule, TravelRules

LABELS = {
    "kind": "Person or company",
    "account_number": "Account number",
    "address": "Address",
    "country": "Country (two letters)",
    "birth_date": "Date of birth",
    "birth_place": "Place of birth",
    "document_number": "Number of a document, or in a register",
    "customer_number": "Customer number",
    "wallet_ownership": "How ownership of the wallet was shown",
}
_SIDES = {PartyRole.DEBTOR: "Payer", PartyRole.CREDITOR: "Payee"}


class MissingField(Record):
    name: str
    """As forms and JSON call it: `debtor.address`."""
    label: str
    length_max: int


class TravelSide(Record):
    """What is missing about one party."""

    role: str
    held_by: str
    missing: tuple[MissingField, ...]


class TravelView(Record):
    rules: tuple[tuple[str, str], ...]
    """What each rule is about, and where it is written."""
    sides: tuple[TravelSide, ...]
    is_complete: bool
    told: tuple[str, ...]
    has_message: bool


def travel_view(record: TravelRecord, rules: TravelRules) -> TravelView:
    """A payment under the travel rule, as its case's page shows it."""
    asking = rules.applicable(record.order, record.asked_on, record.linked)
    fields = missing(record, asking)
    return TravelView(
        rules=tuple((_rule(rule), rule.source) for rule in asking),
        sides=tuple(_side(record, side, fields) for side in SIDES),
        is_complete=not fields,
        told=tuple(f"{one.by}, {one.at:%-d %b %Y, %H:%M} UTC: {_in_words(one.fields)}" for one in record.tellings),
        has_message=record.message is not None,
    )


def _rule(rule: TravelRule) -> str:
    floor = rule.floor
    if floor is None:
        return f"{rule.jurisdiction}, any amount"
    words = "from" if floor.is_included else "above"
    return f"{rule.jurisdiction}, {words} {amount(int(floor.amount * 100), floor.currency)}"


def _side(record: TravelRecord, side: PartyRole, fields: tuple[str, ...]) -> TravelSide:
    held = held_by(record.order, side)
    where = "our customer" if held is None else "holds the wallet itself" if held.is_self_hosted else held.name or ""
    own = [field for field in fields if field.startswith(side.value)]
    return TravelSide(role=_SIDES[side], held_by=where, missing=tuple(map(_field, own)))


def _field(name: str) -> MissingField:
    field = name.partition(".")[2]
    long = {"address": 500, "wallet_ownership": 500, "account_number": 100, "birth_place": 70, "customer_number": 50}
    return MissingField(name=name, label=LABELS[field], length_max=long.get(field, 35))


def _in_words(fields: tuple[str, ...]) -> str:
    return ", ".join(f"{LABELS[name.partition('.')[2]].lower()} of the {name.partition('.')[0]}" for name in fields)
