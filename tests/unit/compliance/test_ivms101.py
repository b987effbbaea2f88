"""Messages of the travel rule: read strictly, written so that they can be read, for the people that a payment names."""

import json
from datetime import date
from typing import Any

import pytest

from libs.common.lei import is_lei
from libs.common.record import replace
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, Institution, Party, PartyKind
from services.compliance.travel.ivms101 import MESSAGE_BYTES_MAX, IvmsFault, parse_message, write_message
from services.compliance.travel.messages import message_of, read_message
from services.compliance.travel.record import Details, TravelRecord
from tests.unit.compliance.office import PAYMENT
from tests.unit.compliance.test_travel_rule import travelling

TODAY = date(2026, 1, 5)
LEI = "213800KUD8LAJWSQ9D15"
OURS = {PartyRole.DEBTOR: PartyKind.PERSON, PartyRole.CREDITOR: PartyKind.COMPANY}
US = Institution(name="Weir Payments Inc.", country="US")
BANK = Institution(name="Other Bank", country="FR", lei=LEI)


def natural(**of: Any) -> dict[str, Any]:
    name = [{"primaryIdentifier": "Smith", "secondaryIdentifier": "John", "nameIdentifierType": "LEGL"}]
    return {"naturalPerson": {"name": name, "customerNumber": "123456"} | of}


def legal(**of: Any) -> dict[str, Any]:
    name = [{"legalPersonName": "Acme Corp", "legalPersonNameIdentifierType": "LEGL"}]
    return {"legalPerson": {"name": name, "customerNumber": "789012"} | of}


def message(originator: Any = None, beneficiary: Any = None, **of: Any) -> dict[str, Any]:
    """The form of 2020, as others send it."""
    return {
        "originator": {
            "originatorPersons": [natural() if originator is None else originator],
            "accountNumber": ["ACC001"],
        },
        "beneficiary": {"beneficiaryPersons": [beneficiary or legal()]},
        "payloadMetadata": {"transliterationMethod": ["othr"]},
    } | of


def encoded(found: Any) -> bytes:
    return json.dumps(found).encode()


def test_a_message_is_read_and_written_as_it_was() -> None:
    content = encoded(message())
    assert json.loads(write_message(parse_message(content, TODAY), TODAY)) == json.loads(content)


def test_the_names_of_2023_are_read_as_well() -> None:
    name = {"primaryIdentifier": "Smith", "naturalPersonNameIdentifierType": "LEGL"}
    person = {"naturalPerson": {"name": {"nameIdentifier": [name]}, "customerIdentification": "123456"}}
    found = parse_message(
        encoded(
            {
                "originator": {"originatorPerson": [person]},
                "beneficiary": {"beneficiaryPerson": [legal()]},
                "payloadMetadata": {"payloadVersion": "101.2023"},
            }
        ),
        TODAY,
    )
    assert found.originator.persons[0].natural_person.customer_identification == "123456"  # type: ignore[union-attr]


ADDRESS = {"addressType": "HOME", "addressLine": ["1 Mill Race"], "country": "US"}
FIRST = "originator.originatorPersons[0]"
SENDER, RECEIVER = f"{FIRST}.naturalPerson", "beneficiary.beneficiaryPersons[0].legalPerson"


def at_address(**of: Any) -> dict[str, Any]:
    return message(natural(geographicAddress=[ADDRESS | of]))


def registered(**of: Any) -> dict[str, Any]:
    return message(beneficiary=legal(nationalIdentification=of))


REGISTER = {"nationalIdentifier": "77", "nationalIdentifierType": "RAID", "registrationAuthority": "RA000001"}


@pytest.mark.parametrize(
    ("found", "field"),
    [
        ({}, "message"),
        ([], "message"),
        (message() | {"beneficiary": {}}, "beneficiary.beneficiaryPersons"),
        (message() | {"surprise": 1}, "message"),
        (message(natural(customerNumber="x" * 51)), f"{SENDER}.customerNumber"),
        (message(natural(shoeSize="44")), f"{SENDER}"),
        (message({}), FIRST),
        (message(natural() | legal()), FIRST),
        (message(natural(name=[])), f"{SENDER}.name"),
        (message(natural(name=[{"primaryIdentifier": "Smith"}])), f"{SENDER}.name[0].nameIdentifierType"),
        (message(natural(customerNumber=None)), f"{SENDER}"),
        (
            message(natural(dateAndPlaceOfBirth={"dateOfBirth": "2026-01-05", "placeOfBirth": "Ghent"})),
            f"{SENDER}.dateAndPlaceOfBirth.dateOfBirth",
        ),
        (
            message(natural(dateAndPlaceOfBirth={"dateOfBirth": "1980", "placeOfBirth": "Ghent"})),
            f"{SENDER}.dateAndPlaceOfBirth.dateOfBirth",
        ),
        (message(natural(countryOfResidence="QQ")), f"{SENDER}.countryOfResidence"),
        (message(natural(customerIdentification="other")), f"{SENDER}.customerIdentification"),
        (at_address(country="QQ"), f"{SENDER}.geographicAddress[0].country"),
        (at_address(addressLine=[]), f"{SENDER}.geographicAddress[0]"),
        (message(natural(name=[{"primaryIdentifier": "S", "nameIdentifierType": "ALIA"}])), f"{SENDER}.name"),
        (message(legal(customerNumber=None)), f"{FIRST}.legalPerson"),
        (
            message(beneficiary=legal(name=[{"legalPersonName": "A", "legalPersonNameIdentifierType": "TRAD"}])),
            f"{RECEIVER}.name",
        ),
        (message(beneficiary=legal(countryOfRegistration="QQ")), f"{RECEIVER}.countryOfRegistration"),
        (
            registered(**REGISTER | {"nationalIdentifierType": "CCPT"}),
            f"{RECEIVER}.nationalIdentification.nationalIdentifierType",
        ),
        (
            registered(**REGISTER | {"countryOfIssue": "US"}),
            f"{RECEIVER}.nationalIdentification.countryOfIssue",
        ),
        (
            registered(nationalIdentifier="7", nationalIdentifierType="RAID"),
            f"{RECEIVER}.nationalIdentification.registrationAuthority",
        ),
        (
            registered(nationalIdentifier=LEI[:-1] + "4", nationalIdentifierType="LEIX"),
            f"{RECEIVER}.nationalIdentification.nationalIdentifier",
        ),
        (
            message(transferPath={"transferPath": [{"intermediaryVASP": legal(), "sequence": 2}]}),
            "transferPath.transferPath",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field(found: Any, field: str) -> None:
    with pytest.raises(IvmsFault) as caught:
        parse_message(encoded(found), TODAY)
    assert caught.value.field == field


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff", b"[" * 100_000, b" " * (MESSAGE_BYTES_MAX + 1)])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(IvmsFault, match=r"^message: "):
        parse_message(content, TODAY)


@pytest.mark.parametrize(("text", "is_one"), [(LEI, True), (LEI[:-1] + "4", False), ("", False), ("?" * 20, False)])
def test_an_lei_has_check_digits(text: str, *, is_one: bool) -> None:
    assert is_lei(text) is is_one


# Of payments

ANN = Party(
    name="Ann Mary Miller",
    address="1 Mill Race, " + "far away, " * 60,
    country="US",
    birth_date="1980-02-03",
    birth_place="Ghent",
    document_number="P77",
)
ACME = Party(
    name="Acme Corp", kind=PartyKind.COMPANY, account_number="BE68539007547034", document_number="77", country="BE"
)


def outgoing(**of: Any) -> TravelRecord:
    ordered = travelling(debtor=ANN, creditor=ACME, creditor_institution=BANK)
    return TravelRecord(payment_id=PAYMENT, order=ordered, rules=("us_funds",), asked_on=TODAY, **of)


def incoming(debtor: Party, creditor: Party) -> TravelRecord:
    ordered = travelling(debtor=debtor, creditor=creditor, debtor_institution=BANK)
    return TravelRecord(payment_id=PAYMENT, order=ordered, rules=("us_funds",), asked_on=TODAY)


def test_what_is_written_of_a_payment_can_be_read_by_who_is_paid() -> None:
    written = message_of(outgoing(), OURS, US, TODAY)
    found = json.loads(written)
    assert found["originator"]["accountNumber"] == [outgoing().order.debtor_account_id]
    assert found["beneficiary"]["accountNumber"] == ["BE68539007547034"]
    assert found["originatingVASP"]["originatingVASP"]["legalPerson"]["name"][0]["legalPersonName"] == US.name
    assert LEI in written.decode()
    there = incoming(Party(name="Ann Miller"), Party(name="Acme Corp"))
    told = read_message(written, there, TODAY)
    assert told.debtor == Details(
        kind=PartyKind.PERSON,
        country="US",
        birth_date="1980-02-03",
        birth_place="Ghent",
        address=told.debtor.address,
        document_number="P77",
        customer_number=outgoing().order.debtor_customer_id,
        account_number=outgoing().order.debtor_account_id,
    )
    assert told.debtor.address is not None
    assert told.debtor.address.startswith("1 Mill Race")
    assert told.creditor == Details()


def test_who_we_are_is_left_out_until_somebody_says_so() -> None:
    found = json.loads(message_of(outgoing(), OURS, None, TODAY))
    assert "originatingVASP" not in found
    assert "beneficiaryVASP" in found


def test_a_message_says_what_was_told_after_the_order() -> None:
    record = outgoing(creditor=Details(customer_number="4711"))
    assert b"4711" in message_of(record, OURS, US, TODAY)


def test_without_a_kind_there_is_no_message() -> None:
    with pytest.raises(IvmsFault, match=r"debtor\.kind"):
        message_of(outgoing(), {}, US, TODAY)


@pytest.mark.parametrize(
    ("debtor", "creditor", "field"),
    [
        (Party(name="Jane Doe"), Party(name="Acme Corp"), "originator.originatorPersons"),
        (Party(name="John Smith"), Party(name="Other Corp"), "beneficiary.beneficiaryPersons"),
    ],
)
def test_a_message_about_somebody_else_is_refused(debtor: Party, creditor: Party, field: str) -> None:
    with pytest.raises(IvmsFault) as caught:
        read_message(encoded(message()), incoming(debtor, creditor), TODAY)
    assert caught.value.field == field


def test_encrypted_parties_are_in_no_message() -> None:
    record = outgoing()
    record = replace(record, order=replace(record.order, personal=EncryptedPersonalData(key_id="k", ciphertext=b"?")))
    with pytest.raises(IvmsFault, match="encrypted"):
        message_of(record, OURS, US, TODAY)
    with pytest.raises(IvmsFault, match="encrypted"):
        read_message(encoded(message()), record, TODAY)
