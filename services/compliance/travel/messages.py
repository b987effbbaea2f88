"""From a payment to the message that goes with it, and from a message that came to what it tells. Pure."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date

import msgspec

from libs.common import card_numbers
from libs.common.record import Record
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, Institution, PartyKind
from services.compliance.travel.ivms101 import (
    Address,
    Beneficiary,
    BeneficiaryVasp,
    BirthFacts,
    IvmsFault,
    LegalNameId,
    LegalPerson,
    Message,
    NationalIdentification,
    NaturalNameId,
    NaturalPerson,
    OriginatingVasp,
    Originator,
    PayloadMetadata,
    Person,
    parse_message,
    write_message,
)
from services.compliance.travel.record import Details, TravelRecord, held_by, known_about, party_of, whole_date

LINE_LENGTH = 70
NAME_LENGTH = 100
UNKNOWN_REGISTER = "RA999999"
"""The code list of registration authorities says so of a register that is not in it."""


class Read(Record):
    """What a message that came in tells about both parties."""

    debtor: Details
    creditor: Details


def message_of(
    record: TravelRecord, kinds: Mapping[PartyRole, PartyKind], own: Institution | None, today: date
) -> bytes:
    """The message that goes with a payment. `kinds`: of those parties who are our customers; `own`: who we are.

    Raises IvmsFault where what is known doesn't make one.
    """
    if isinstance(record.order.personal, EncryptedPersonalData):
        raise IvmsFault("originator", "the parties are encrypted")
    debtor, creditor = (_person(record, side, kinds) for side in (PartyRole.DEBTOR, PartyRole.CREDITOR))
    sender, receiver = (_vasp(held_by(record.order, side) or own) for side in (PartyRole.DEBTOR, PartyRole.CREDITOR))
    numbers = [known_about(record, side).account_number for side in (PartyRole.DEBTOR, PartyRole.CREDITOR)]
    return write_message(
        Message(
            originator=Originator(originator_persons=(debtor,), account_number=_some(numbers[0])),
            beneficiary=Beneficiary(beneficiary_persons=(creditor,), account_number=_some(numbers[1])),
            originating_vasp=OriginatingVasp(originating_vasp=sender) if sender is not None else None,
            beneficiary_vasp=BeneficiaryVasp(beneficiary_vasp=receiver) if receiver is not None else None,
            payload_metadata=PayloadMetadata(payload_version="101"),
        ),
        today,
    )


def read_message(content: bytes, record: TravelRecord, today: date) -> Read:
    """What a message tells about the parties of a payment. Raises IvmsFault, also for one about somebody else."""
    message = parse_message(content, today)
    if isinstance(record.order.personal, EncryptedPersonalData):
        raise IvmsFault("originator", "the parties of this payment are encrypted")
    return Read(
        debtor=_details(
            "originator.originatorPersons", message.originator.persons, message.originator.account_number,
            record, PartyRole.DEBTOR,
        ),
        creditor=_details(
            "beneficiary.beneficiaryPersons", message.beneficiary.persons, message.beneficiary.account_number,
            record, PartyRole.CREDITOR,
        ),
    )  # fmt: skip


def has_card_number(content: bytes) -> bool:
    """Whether a message has a card number in it, in any of its texts and however those are escaped."""
    texts = list[str]()
    # What is no JSON is no message either: `read_message` says so.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        texts += _texts(msgspec.json.decode(content))
    return any(map(card_numbers.has_card_number, (content.decode(errors="replace"), *texts)))


def _texts(found: object) -> Iterator[str]:
    """All texts and numbers of a JSON document, names of fields included."""
    match found:
        case dict():
            for name, value in found.items():
                yield name
                yield from _texts(value)
        case list():
            for value in found:
                yield from _texts(value)
        case _:
            yield str(found)


# Writing


def _person(record: TravelRecord, side: PartyRole, kinds: Mapping[PartyRole, PartyKind]) -> Person:
    name, known = party_of(record.order, side).name, known_about(record, side)
    kind = known.kind or kinds.get(side)
    addresses = _addresses(known, kind)
    if kind is PartyKind.COMPANY:
        return Person(
            legal_person=LegalPerson(
                name=(LegalNameId(legal_person_name=name[:NAME_LENGTH], legal_person_name_identifier_type="LEGL"),),
                geographic_address=addresses,
                customer_number=known.customer_number,
                national_identification=_register_number(known.document_number),
                country_of_registration=known.country,
            )
        )
    if kind is not PartyKind.PERSON:
        raise IvmsFault(f"{side.value}.kind", "must be known: a person or a company")
    *given, last = name.split()
    return Person(
        natural_person=NaturalPerson(
            name=(
                NaturalNameId(
                    primary_identifier=last[:NAME_LENGTH],
                    secondary_identifier=" ".join(given)[:NAME_LENGTH] or None,
                    name_identifier_type="LEGL",
                ),
            ),
            geographic_address=addresses,
            national_identification=_document_number(known.document_number),
            customer_number=known.customer_number,
            date_and_place_of_birth=_birth(known),
            country_of_residence=known.country,
        )
    )


def _document_number(number: str | None) -> NationalIdentification | None:
    # Which kind of document it is nobody was asked.
    if number is None:
        return None
    return NationalIdentification(national_identifier=number, national_identifier_type="MISC")


def _register_number(number: str | None) -> NationalIdentification | None:
    if number is None:
        return None
    return NationalIdentification(
        national_identifier=number, national_identifier_type="RAID", registration_authority=UNKNOWN_REGISTER
    )


def _lei(number: str | None) -> NationalIdentification | None:
    if number is None:
        return None
    return NationalIdentification(national_identifier=number, national_identifier_type="LEIX")


def _addresses(known: Details, kind: PartyKind | None) -> tuple[Address, ...]:
    if known.address is None or known.country is None:
        return ()
    lines = textwrap.wrap(known.address, LINE_LENGTH)
    kept = (*lines[:6], " ".join(lines[6:])[:LINE_LENGTH]) if len(lines) > 7 else tuple(lines)
    is_company = kind is PartyKind.COMPANY
    return (Address(address_type="BIZZ" if is_company else "HOME", address_line=kept, country=known.country),)


def _birth(known: Details) -> BirthFacts | None:
    born = whole_date(known.birth_date) if known.birth_date is not None else None
    if known.birth_place is None or born is None:
        return None
    return BirthFacts(date_of_birth=born, place_of_birth=known.birth_place)


def _some(number: str | None) -> tuple[str, ...]:
    return () if number is None else (number,)


def _vasp(held: Institution | None) -> Person | None:
    """The institution of a side; None for a wallet that its owner holds, and for us if nobody says who we are."""
    if held is None or held.name is None:
        return None
    return Person(
        legal_person=LegalPerson(
            name=(LegalNameId(legal_person_name=held.name[:NAME_LENGTH], legal_person_name_identifier_type="LEGL"),),
            national_identification=_lei(held.lei),
            country_of_registration=held.country,
        )
    )


# Reading


def _details(
    place: str, persons: tuple[Person, ...], numbers: tuple[str, ...], record: TravelRecord, side: PartyRole
) -> Details:
    """What is told of the one person that the payment names."""
    name = party_of(record.order, side).name
    for person in persons:
        if any(_is_same_name(told, name) for told in _names(person)):
            # What our own customers' data are, others don't tell us.
            is_ours = held_by(record.order, side) is None
            return Details() if is_ours else _told_of(person, numbers)
    raise IvmsFault(place, "names nobody who is called as the payment says")


def _told_of(person: Person, numbers: tuple[str, ...]) -> Details:
    one = person.natural_person or person.legal_person
    assert one is not None
    address = next(iter(one.geographic_address), None)
    natural = person.natural_person
    born = natural.date_and_place_of_birth if natural is not None else None
    residence = natural.country_of_residence if natural is not None else None
    return Details(
        kind=PartyKind.PERSON if natural is not None else PartyKind.COMPANY,
        account_number=numbers[0] if numbers else None,
        country=(address.country if address is not None else None) or residence,
        address=_line_of(address) if address is not None else None,
        birth_date=born.date_of_birth.isoformat() if born is not None else None,
        birth_place=born.place_of_birth if born is not None else None,
        document_number=one.national_identification.national_identifier if one.national_identification else None,
        customer_number=one.customer_number or one.customer_identification,
    )


def _line_of(address: Address) -> str:
    house = address.building_number or address.building_name
    street = " ".join(part for part in (house, address.street_name) if part)
    town = " ".join(part for part in (address.post_code, address.town_name) if part)
    return ", ".join(part for part in (*address.address_line, street, town, address.country_sub_division) if part)


def _names(person: Person) -> list[str]:
    if person.natural_person is not None:
        names = person.natural_person.names
        return [f"{name.secondary_identifier or ''} {name.primary_identifier}" for name in names]
    assert person.legal_person is not None
    return [name.legal_person_name for name in person.legal_person.names]


def _is_same_name(told: str, ordered: str) -> bool:
    """Whether the words of one name are all in the other, in whatever order."""
    one, other = (set(re.findall(r"\w+", name.casefold())) for name in (told, ordered))
    return bool(one and other) and (one <= other or other <= one)
