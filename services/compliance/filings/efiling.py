"""Parties, addresses and identifications as FinCEN's forms write them (batch XML 2.0, schemas of December 2021). Pure.

Every element has a number of its own in the file, every text is one line without spaces at its ends, amounts are
whole dollars, and a field that is not known says so by an indicator of its own.
"""

import re
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from libs.common.record import Record
from services.compliance.filings.faults import FilingFault

NAMESPACE = "www.fincen.gov/base"
AMOUNT_LENGTH_MAX = 15

_SPACE = re.compile(r"\s+")
_NOT_WRITTEN = re.compile(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ElementTree.register_namespace("fc2", NAMESPACE)


class PartyCode(StrEnum):
    """Who a party of a report is."""

    CONTACT = "8"
    CONDUCTOR_FOR_OTHER = "17"
    ON_WHOSE_BEHALF = "23"
    FILING_INSTITUTION = "30"
    SUBJECT = "33"
    LOCATION = "34"
    TRANSMITTER = "35"
    TRANSMITTER_CONTACT = "37"
    INSTITUTION_OF_ACCOUNT = "41"
    CONDUCTOR = "50"


class IdentificationKind(StrEnum):
    """Documents and numbers by which someone is known."""

    SSN_ITIN = "1"
    EIN = "2"
    TIN = "4"
    DRIVERS_LICENSE = "5"
    PASSPORT = "6"
    ALIEN_REGISTRATION = "7"
    FOREIGN = "9"
    TRANSMITTER_CONTROL_CODE = "28"
    OTHER = "999"


class Regulator(StrEnum):
    """Who examines an institution."""

    FEDERAL_RESERVE = "1"
    FDIC = "2"
    NCUA = "3"
    OCC = "4"
    SEC = "6"
    IRS = "7"
    CFTC = "9"


class InstitutionKind(StrEnum):
    """What an institution is."""

    CASINO = "1"
    BANK = "2"
    MONEY_SERVICES_BUSINESS = "4"
    SECURITIES = "5"
    OTHER = "999"


class Address(Record):
    """Where someone lives or works, as far as it is known."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    """A code of two letters in the United States, Canada and Mexico; nowhere else."""
    postal_code: str | None = None
    country: str | None = None
    """Two letters, ISO 3166."""


class Identification(Record):
    """A document or a number."""

    kind: IdentificationKind
    number: str
    country: str | None = None
    state: str | None = None


class Person(Record):
    """Somebody a report is about."""

    last_name: str | None
    """Of an entity: its name."""
    first_name: str | None = None
    middle_name: str | None = None
    is_entity: bool = False
    aliases: tuple[str, ...] = ()
    birth_date: str | None = None
    """ISO 8601, whole, or the year, or year and month."""
    address: Address = Address()
    phone: str | None = None
    occupation: str | None = None
    tin: Identification | None = None
    """The taxpayer's number."""
    documents: tuple[Identification, ...] = ()
    accounts: tuple[str, ...] = ()
    is_customer: bool = True


class Institution(Record):
    """Who files: read from a file of the installation, the same in every report."""

    name: str
    tin: str
    """Nine digits, the employer's identification number."""
    control_code: str
    """Of the transmitter, as FinCEN gave it: eight characters."""
    kind: InstitutionKind
    regulator: Regulator
    address: Address
    phone: str
    contact_name: str
    contact_office: str
    contact_phone: str


class Form:
    """A form under way: numbers its elements, and writes texts as the forms take them."""

    def __init__(self) -> None:
        self._number = 0

    def add(self, parent: Element, tag: str) -> Element:
        """An element with the next number."""
        self._number += 1
        return SubElement(parent, qualified(tag), SeqNum=str(self._number))

    def party(self, parent: Element, code: PartyCode, *, indicators: Sequence[str] = ()) -> Element:
        """A party; `indicators` stand between its code and its name, in the order of the schema."""
        party = self.add(parent, "Party")
        put(party, "ActivityPartyTypeCode", code)
        for indicator in indicators:
            put(party, indicator, "Y")
        return party

    def full_name(self, party: Element, name: str, field: str) -> None:
        """A name that is not divided into parts."""
        named = self.add(party, "PartyName")
        put(named, "PartyNameTypeCode", "L")
        put(named, "RawPartyFullName", line(name, 150, field))

    def describe(self, party: Element, person: Person, field: str, *, aliases_max: int, documents_max: int) -> None:
        """Who someone is: names, address, phone, numbers and documents, occupation; what is not known says so."""
        self._names(party, person, field, aliases_max)
        self.address(party, person.address, f"{field}.address")
        if person.phone:
            self.phone(party, person.phone, f"{field}.phone")
        if person.tin is None:
            self._unknown(party, "TINUnknownIndicator")
        else:
            self.identification(party, person.tin, f"{field}.tin")
        for document in person.documents[:documents_max]:
            self.identification(party, document, f"{field}.documents")
        if not person.documents:
            self._unknown(party, "IdentificationPresentUnknownIndicator")
        if person.occupation:
            occupation = self.add(party, "PartyOccupationBusiness")
            put(occupation, "OccupationBusinessText", line(person.occupation, 50, f"{field}.occupation"))

    def _names(self, party: Element, person: Person, field: str, aliases_max: int) -> None:
        named = self.add(party, "PartyName")
        if not person.last_name:
            put(named, "EntityLastNameUnknownIndicator", "Y")
        if not person.first_name and not person.is_entity:
            put(named, "FirstNameUnknownIndicator", "Y")
        put(named, "PartyNameTypeCode", "L")
        put_line(named, "RawEntityIndividualLastName", person.last_name, 150, f"{field}.last_name")
        if not person.is_entity:
            put_line(named, "RawIndividualFirstName", person.first_name, 35, f"{field}.first_name")
            put_line(named, "RawIndividualMiddleName", person.middle_name, 35, f"{field}.middle_name")
        for alias in person.aliases[:aliases_max]:
            known_as = self.add(party, "PartyName")
            put(known_as, "PartyNameTypeCode", "AKA")
            put_line(known_as, "RawPartyFullName", alias, 150, f"{field}.aliases")

    def address(self, party: Element, address: Address, field: str) -> None:
        """An address; what is not known of it says so."""
        at = self.add(party, "Address")
        is_stateless = address.country is not None and address.country not in ("US", "CA", "MX")
        if not address.city:
            put(at, "CityUnknownIndicator", "Y")
        if not address.country:
            put(at, "CountryCodeUnknownIndicator", "Y")
        put_line(at, "RawCityText", address.city, 50, f"{field}.city")
        put_line(at, "RawCountryCodeText", address.country, 2, f"{field}.country")
        put_line(at, "RawStateCodeText", None if is_stateless else address.state, 3, f"{field}.state")
        put_line(at, "RawStreetAddress1Text", address.street, 100, f"{field}.street")
        put_line(at, "RawZIPCode", _postal_code(address), 9, f"{field}.postal_code")
        for tag, is_known in (
            ("StateCodeUnknownIndicator", is_stateless or bool(address.state)),
            ("StreetAddressUnknownIndicator", bool(address.street)),
            ("ZIPCodeUnknownIndicator", bool(address.postal_code)),
        ):
            if not is_known:
                put(at, tag, "Y")

    def phone(self, party: Element, number: str, field: str) -> None:
        """A phone number: its digits."""
        phone = self.add(party, "PhoneNumber")
        put(phone, "PhoneNumberText", line(re.sub(r"\D", "", number), 16, field))

    def identification(self, party: Element, known: Identification, field: str) -> None:
        """A document, or a number."""
        identified = self.add(party, "PartyIdentification")
        put_line(identified, "OtherIssuerCountryText", known.country, 2, f"{field}.country")
        put_line(identified, "OtherIssuerStateText", known.state, 3, f"{field}.state")
        number = re.sub(r"[\s-]", "", known.number)
        put(identified, "PartyIdentificationNumberText", line(number, 25, f"{field}.number"))
        put(identified, "PartyIdentificationTypeCode", known.kind)

    def _unknown(self, party: Element, indicator: str) -> None:
        put(self.add(party, "PartyIdentification"), indicator, "Y")

    def classification(self, party: Element, kind: InstitutionKind) -> None:
        """What an institution is."""
        classified = self.add(party, "OrganizationClassificationTypeSubtype")
        put(classified, "OrganizationTypeID", kind)
        if kind is InstitutionKind.OTHER:
            put(classified, "OtherOrganizationTypeText", "Other financial institution")

    def filers(self, activity: Element, institution: Institution) -> None:
        """Who sends and files, whom to ask, and where it happened: one institution here. In the order of the forms."""
        self._transmitter(activity, institution)
        self._institution(activity, PartyCode.FILING_INSTITUTION, institution)
        self._contact(activity, institution)
        self._institution(activity, PartyCode.LOCATION, institution)

    def _transmitter(self, activity: Element, institution: Institution) -> None:
        """Who sends the file, and whom to ask about it."""
        sender = self.party(activity, PartyCode.TRANSMITTER)
        self.full_name(sender, institution.name, "institution.name")
        self.address(sender, institution.address, "institution.address")
        self.phone(sender, institution.phone, "institution.phone")
        self.identification(
            sender,
            Identification(kind=IdentificationKind.TRANSMITTER_CONTROL_CODE, number=institution.control_code),
            "institution.control_code",
        )
        self.identification(sender, _tin(institution, IdentificationKind.TIN), "institution.tin")
        contact = self.party(activity, PartyCode.TRANSMITTER_CONTACT)
        self.full_name(contact, institution.contact_name, "institution.contact_name")

    def _institution(self, activity: Element, code: PartyCode, institution: Institution) -> None:
        """The institution as who files, or as where it happened."""
        party = self.party(activity, code)
        put(party, "PrimaryRegulatorTypeCode", institution.regulator)
        self.full_name(party, institution.name, "institution.name")
        self.address(party, institution.address, "institution.address")
        self.identification(party, _tin(institution, IdentificationKind.EIN), "institution.tin")
        self.classification(party, institution.kind)

    def _contact(self, activity: Element, institution: Institution) -> None:
        """Whom law enforcement may ask."""
        party = self.party(activity, PartyCode.CONTACT)
        self.full_name(party, institution.contact_office, "institution.contact_office")
        self.phone(party, institution.contact_phone, "institution.contact_phone")


def begin(form_type: str, **counts: int | str) -> Element:
    """The root of a batch, which holds one report."""
    root = Element(qualified("EFilingBatchXML"), {name: str(count) for name, count in counts.items()})
    put(root, "FormTypeCode", form_type)
    return root


def written(root: Element) -> bytes:
    """The file."""
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def put(parent: Element, tag: str, text: str) -> None:
    """An element without a number, which holds a text."""
    SubElement(parent, qualified(tag)).text = text


def put_line(parent: Element, tag: str, text: str | None, length_max: int, field: str) -> None:
    """One that holds a line, if there is one. Raises FilingFault where it is too long."""
    if text:
        put(parent, tag, line(text, length_max, field))


def line(text: str, length_max: int, field: str) -> str:
    """A text as the forms take it. Raises FilingFault for none, or one that is too long."""
    kept = _NOT_WRITTEN.sub("", _SPACE.sub(" ", text)).strip()
    if not kept:
        raise FilingFault(field, "is missing")
    if len(kept) > length_max:
        raise FilingFault(field, f"has {len(kept)} characters; the form takes {length_max}")
    return kept


def day_text(day: date) -> str:
    """A day as the forms write it."""
    return day.strftime("%Y%m%d")


def birth_text(birth_date: str, field: str) -> str:
    """A date of birth as the forms write it: 00 for a month or day that is not known. Raises FilingFault."""
    digits = birth_date.replace("-", "")
    if not re.fullmatch(r"(19|20)\d\d((0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])?)?", digits):
        raise FilingFault(field, f"is no date of birth that the form takes: {birth_date}")
    return digits.ljust(8, "0")


def put_birth_date(party: Element, person: Person, field: str) -> None:
    """A person's date of birth, or that it is unknown. Raises FilingFault."""
    if person.is_entity:
        return
    if person.birth_date is None:
        put(party, "BirthDateUnknownIndicator", "Y")
    else:
        put(party, "IndividualBirthDateText", birth_text(person.birth_date, f"{field}.birth_date"))


def dollars_text(dollars: int, field: str) -> str:
    """Whole dollars. Raises FilingFault."""
    text = str(dollars)
    if dollars < 0 or len(text) > AMOUNT_LENGTH_MAX:
        raise FilingFault(field, f"is no amount that the form takes: {dollars}")
    return text


def qualified(tag: str) -> str:
    """A tag in FinCEN's namespace."""
    return f"{{{NAMESPACE}}}{tag}"


def _tin(institution: Institution, kind: IdentificationKind) -> Identification:
    return Identification(kind=kind, number=institution.tin)


def _postal_code(address: Address) -> str | None:
    return re.sub(r"[\s-]", "", address.postal_code) if address.postal_code else None
