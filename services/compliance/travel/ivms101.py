"""Messages by the interVASP messaging standard, IVMS101: their parts, read strictly. Pure.

Read are the names of 2020 and those of 2023 (`originatorPersons` and `originatorPerson`, `customerNumber` and
`customerIdentification`), names as a list or in an object `nameIdentifier`. Written is the form of 2020. The numbers of
constraints are the standard's (section 7).
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from libs.common.countries import is_country
from libs.common.lei import is_lei
from libs.common.record import Record

MESSAGE_BYTES_MAX = 64 * 1024

Text50 = Annotated[str, Meta(min_length=1, max_length=50)]
Text70 = Annotated[str, Meta(min_length=1, max_length=70)]
Text100 = Annotated[str, Meta(min_length=1, max_length=100)]
Text35 = Annotated[str, Meta(min_length=1, max_length=35)]
CountryCode = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
NaturalNameType = Literal["ALIA", "BIRT", "MAID", "LEGL", "MISC"]
LegalNameType = Literal["LEGL", "SHRT", "TRAD"]


class IvmsFault(Exception):
    """What is wrong with a message, and in which field."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class _Part(Record, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Part of a message: what the standard doesn't know is refused."""


class NaturalNameId(_Part):
    primary_identifier: Text100
    secondary_identifier: Annotated[str, Meta(max_length=100)] | None = None
    name_identifier_type: NaturalNameType | None = None
    natural_person_name_identifier_type: NaturalNameType | None = None

    @property
    def name_type(self) -> str | None:
        return self.name_identifier_type or self.natural_person_name_identifier_type


class LegalNameId(_Part):
    legal_person_name: Text100
    legal_person_name_identifier_type: LegalNameType


class NaturalName(_Part):
    """Names in the object that the standard's tables describe."""

    name_identifier: Annotated[tuple[NaturalNameId, ...], Meta(min_length=1, max_length=5)]
    local_name_identifier: Annotated[tuple[NaturalNameId, ...], Meta(max_length=5)] = ()
    phonetic_name_identifier: Annotated[tuple[NaturalNameId, ...], Meta(max_length=5)] = ()


class LegalName(_Part):
    name_identifier: Annotated[tuple[LegalNameId, ...], Meta(min_length=1, max_length=5)]
    local_name_identifier: Annotated[tuple[LegalNameId, ...], Meta(max_length=5)] = ()
    phonetic_name_identifier: Annotated[tuple[LegalNameId, ...], Meta(max_length=5)] = ()


class Address(_Part):
    address_type: Literal["HOME", "BIZZ", "GEOG"]
    department: Text50 | None = None
    sub_department: Text70 | None = None
    street_name: Text70 | None = None
    building_number: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    building_name: Text35 | None = None
    floor: Text70 | None = None
    post_box: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    room: Text70 | None = None
    post_code: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    town_name: Text35 | None = None
    town_location_name: Text35 | None = None
    district_name: Text35 | None = None
    country_sub_division: Text35 | None = None
    address_line: Annotated[tuple[Text70, ...], Meta(max_length=7)] = ()
    country: CountryCode


class NationalIdentification(_Part):
    national_identifier: Text35
    national_identifier_type: Literal["ARNU", "CCPT", "RAID", "DRLC", "FIIN", "TXID", "SOCS", "IDCD", "LEIX", "MISC"]
    country_of_issue: CountryCode | None = None
    registration_authority: Annotated[str, Meta(pattern="^RA[0-9]{6}$")] | None = None


class BirthFacts(_Part):
    date_of_birth: date
    place_of_birth: Text70


class NaturalPerson(_Part):
    name: Annotated[tuple[NaturalNameId, ...], Meta(min_length=1, max_length=5)] | NaturalName
    geographic_address: Annotated[tuple[Address, ...], Meta(max_length=5)] = ()
    national_identification: NationalIdentification | None = None
    customer_number: Text50 | None = None
    customer_identification: Text50 | None = None
    date_and_place_of_birth: BirthFacts | None = None
    country_of_residence: CountryCode | None = None

    @property
    def names(self) -> tuple[NaturalNameId, ...]:
        return self.name.name_identifier if isinstance(self.name, NaturalName) else self.name


class LegalPerson(_Part):
    name: Annotated[tuple[LegalNameId, ...], Meta(min_length=1, max_length=5)] | LegalName
    geographic_address: Annotated[tuple[Address, ...], Meta(max_length=5)] = ()
    customer_number: Text50 | None = None
    customer_identification: Text50 | None = None
    national_identification: NationalIdentification | None = None
    country_of_registration: CountryCode | None = None

    @property
    def names(self) -> tuple[LegalNameId, ...]:
        return self.name.name_identifier if isinstance(self.name, LegalName) else self.name


class Person(_Part):
    """One of the two."""

    natural_person: NaturalPerson | None = None
    legal_person: LegalPerson | None = None


Persons = Annotated[tuple[Person, ...], Meta(max_length=10)]
AccountNumbers = Annotated[tuple[Text100, ...], Meta(max_length=10)]


class Originator(_Part):
    originator_persons: Persons = ()
    originator_person: Persons = ()
    account_number: AccountNumbers = ()

    @property
    def persons(self) -> tuple[Person, ...]:
        return self.originator_persons or self.originator_person


class Beneficiary(_Part):
    beneficiary_persons: Persons = ()
    beneficiary_person: Persons = ()
    account_number: AccountNumbers = ()

    @property
    def persons(self) -> tuple[Person, ...]:
        return self.beneficiary_persons or self.beneficiary_person


class OriginatingVasp(_Part):
    originating_vasp: Person = msgspec.field(name="originatingVASP")


class BeneficiaryVasp(_Part):
    beneficiary_vasp: Person | None = msgspec.field(name="beneficiaryVASP", default=None)


class IntermediaryVasp(_Part):
    intermediary_vasp: Person = msgspec.field(name="intermediaryVASP")
    sequence: Annotated[int, Meta(ge=0, le=100)]


class TransferPath(_Part):
    transfer_path: Annotated[tuple[IntermediaryVasp, ...], Meta(max_length=100)] = ()


class PayloadMetadata(_Part):
    transliteration_method: Annotated[
        tuple[
            Literal[
                "arab", "aran", "armn", "cyrl", "deva", "geor", "grek", "hani", "hebr", "kana", "kore", "thai", "othr"
            ],
            ...,
        ],
        Meta(max_length=5),
    ] = ()
    payload_version: Literal["101", "101.2023"] | None = None


class Message(_Part):
    """What institutions tell each other about a transfer."""

    originator: Originator
    beneficiary: Beneficiary
    originating_vasp: OriginatingVasp | None = msgspec.field(name="originatingVASP", default=None)
    beneficiary_vasp: BeneficiaryVasp | None = msgspec.field(name="beneficiaryVASP", default=None)
    transfer_path: TransferPath | None = None
    payload_metadata: PayloadMetadata | None = None


_decode = msgspec.json.Decoder(Message).decode


def parse_message(content: bytes, today: date) -> Message:
    """A message that keeps to the standard. Raises IvmsFault for the first field that doesn't."""
    if len(content) > MESSAGE_BYTES_MAX:
        raise IvmsFault("message", f"a message has at most {MESSAGE_BYTES_MAX} bytes")
    try:
        message = _decode(content)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `$")
        raise IvmsFault(place.rstrip("`").lstrip(".") or "message", detail) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IvmsFault("message", f"is no JSON: {error}") from error
    for field, detail in _faults(message, today):
        raise IvmsFault(field, detail)
    return message


def write_message(message: Message, today: date) -> bytes:
    """The message as JSON. Raises IvmsFault where it doesn't keep to the standard, as `parse_message`."""
    content = msgspec.json.encode(message)
    parse_message(content, today)
    return content


Faults = Iterator[tuple[str, str]]


def _faults(message: Message, today: date) -> Faults:
    for side, persons in (("originator", message.originator.persons), ("beneficiary", message.beneficiary.persons)):
        if not persons:
            yield f"{side}.{side}Persons", "must name somebody"
        for number, person in enumerate(persons):
            yield from _person_faults(
                f"{side}.{side}Persons[{number}]", person, today, is_originator=side == "originator"
            )
    if message.originating_vasp is not None:
        yield from _person_faults("originatingVASP.originatingVASP", message.originating_vasp.originating_vasp, today)
    if message.beneficiary_vasp is not None and message.beneficiary_vasp.beneficiary_vasp is not None:
        yield from _person_faults("beneficiaryVASP.beneficiaryVASP", message.beneficiary_vasp.beneficiary_vasp, today)
    if message.transfer_path is not None:
        path = message.transfer_path.transfer_path
        if sorted(vasp.sequence for vasp in path) != list(range(1, len(path) + 1)):
            yield "transferPath.transferPath", "its sequence must count from 1 without a gap (C12)"
        for number, vasp in enumerate(path):
            yield from _person_faults(
                f"transferPath.transferPath[{number}].intermediaryVASP", vasp.intermediary_vasp, today
            )


def _person_faults(place: str, person: Person, today: date, *, is_originator: bool = False) -> Faults:
    if (person.natural_person is None) is (person.legal_person is None):
        yield place, "must be a naturalPerson or a legalPerson, and one of both"
    elif person.natural_person is not None:
        yield from _natural_faults(f"{place}.naturalPerson", person.natural_person, today, is_originator=is_originator)
    elif person.legal_person is not None:
        yield from _legal_faults(f"{place}.legalPerson", person.legal_person, is_originator=is_originator)


def _natural_faults(place: str, person: NaturalPerson, today: date, *, is_originator: bool) -> Faults:
    for number, name in enumerate(person.names):
        if name.name_type is None:
            yield f"{place}.name[{number}].nameIdentifierType", "is missing"
    if not any(name.name_type == "LEGL" for name in person.names):
        yield f"{place}.name", "must contain the legal name, LEGL (C6)"
    yield from _common_faults(place, person)
    born = person.date_and_place_of_birth
    if born is not None and born.date_of_birth >= today:
        yield f"{place}.dateAndPlaceOfBirth.dateOfBirth", "must lie in the past (C2)"
    if is_originator and not (_is_identified(person) or born is not None):
        yield (
            place,
            ("an originator needs an address, nationalIdentification, customerNumber or birth (C1)"),
        )


def _legal_faults(place: str, person: LegalPerson, *, is_originator: bool) -> Faults:
    if not any(name.legal_person_name_identifier_type == "LEGL" for name in person.names):
        yield f"{place}.name", "must contain the legal name, LEGL (C5)"
    yield from _common_faults(place, person)
    if person.country_of_registration is not None and not _is_country(person.country_of_registration):
        yield f"{place}.countryOfRegistration", "is no country (C3)"
    found = person.national_identification
    if found is not None:
        yield from _register_faults(f"{place}.nationalIdentification", found)
    if is_originator and not _is_identified(person):
        yield place, "of an originator the address, nationalIdentification or customerNumber is needed (C4)"


def _register_faults(place: str, found: NationalIdentification) -> Faults:
    if found.national_identifier_type not in ("RAID", "MISC", "LEIX", "TXID"):
        yield f"{place}.nationalIdentifierType", "of a legal person is RAID, MISC, LEIX or TXID (C7)"
    if found.country_of_issue is not None:
        yield f"{place}.countryOfIssue", "must not be given of a legal person (C9)"
    if (found.registration_authority is None) is not (found.national_identifier_type == "LEIX"):
        yield f"{place}.registrationAuthority", "must be given unless it is a LEIX, and not with one (C9)"
    if found.national_identifier_type == "LEIX" and not is_lei(found.national_identifier):
        yield f"{place}.nationalIdentifier", "is no LEI: its check digits are wrong (C11)"


def _common_faults(place: str, person: NaturalPerson | LegalPerson) -> Faults:
    for number, address in enumerate(person.geographic_address):
        is_whole = address.street_name and (address.building_name or address.building_number)
        if not (address.address_line or is_whole):
            yield f"{place}.geographicAddress[{number}]", "needs an addressLine, or a streetName and a building (C8)"
        if not _is_country(address.country):
            yield f"{place}.geographicAddress[{number}].country", "is no country (C3)"
    numbers = {person.customer_number, person.customer_identification} - {None}
    if len(numbers) > 1:
        yield f"{place}.customerIdentification", "says otherwise than customerNumber"
    residence = person.country_of_residence if isinstance(person, NaturalPerson) else None
    if residence is not None and not _is_country(residence):
        yield f"{place}.countryOfResidence", "is no country (C3)"


def _is_identified(person: NaturalPerson | LegalPerson) -> bool:
    has_number = person.customer_number is not None or person.customer_identification is not None
    return bool(person.geographic_address) or person.national_identification is not None or has_number


def _is_country(code: str) -> bool:
    return code == "XX" or is_country(code)
