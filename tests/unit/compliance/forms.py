"""FinCEN's forms as far as reports are written here: which elements stand in which, in which order.

Taken from the schemas of the e-filing system (SAR and CTR, version 1.2 of December 2021), which say more.
Where the schemas are among the public data (tests/public_data.py), reports are held against these, too.
"""

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from lxml import etree

from tests import public_data

_PARTY = """ActivityPartyTypeCode! AllCriticalSubjectInformationUnavailableIndicator BirthDateUnknownIndicator
    IndividualBirthDateText IndividualEntityCashInAmountText IndividualEntityCashOutAmountText
    NoKnownAccountInvolvedIndicator PartyAsEntityOrganizationIndicator PrimaryRegulatorTypeCode UnknownGenderIndicator
    PartyName* Address* PhoneNumber* PartyIdentification* OrganizationClassificationTypeSubtype* PartyOccupationBusiness
    PartyAssociation* PartyAccountAssociation Account*"""

ORDER = {
    "EFilingBatchXML": "FormTypeCode! Activity!*",
    "Activity": """EFilingPriorDocumentNumber FilingDateText! ActivityAssociation! Party!* SuspiciousActivity
        CurrencyTransactionActivity ActivityNarrativeInformation*""",
    "ActivityAssociation": """ContinuingActivityReportIndicator CorrectsAmendsPriorReportIndicator
        FinCENDirectBackFileIndicator InitialReportIndicator""",
    "Party": _PARTY,
    "PartyName": """EntityLastNameUnknownIndicator FirstNameUnknownIndicator PartyNameTypeCode!
        RawEntityIndividualLastName RawIndividualFirstName RawIndividualMiddleName RawPartyFullName""",
    "Address": """CityUnknownIndicator CountryCodeUnknownIndicator RawCityText RawCountryCodeText RawStateCodeText
        RawStreetAddress1Text RawZIPCode StateCodeUnknownIndicator StreetAddressUnknownIndicator
        ZIPCodeUnknownIndicator""",
    "PhoneNumber": "PhoneNumberText",
    "PartyIdentification": """IdentificationPresentUnknownIndicator OtherIssuerCountryText OtherIssuerStateText
        PartyIdentificationNumberText PartyIdentificationTypeCode TINUnknownIndicator""",
    "OrganizationClassificationTypeSubtype": "OrganizationTypeID! OtherOrganizationTypeText",
    "PartyOccupationBusiness": "OccupationBusinessText",
    "PartyAssociation": """CustomerIndicator NoRelationshipToInstitutionIndicator RelationshipContinuesIndicator
        SubjectRelationshipFinancialInstitutionTINText""",
    "PartyAccountAssociation": "PartyAccountAssociationTypeCode! Party*",
    "Account": "AccountNumberText PartyAccountAssociation!",
    "SuspiciousActivity": """AmountUnknownIndicator CumulativeTotalViolationAmountText
        SuspiciousActivityFromDateText! SuspiciousActivityToDateText TotalSuspiciousAmountText
        SuspiciousActivityClassification!*""",
    "SuspiciousActivityClassification": """OtherSuspiciousActivityTypeText SuspiciousActivitySubtypeID!
        SuspiciousActivityTypeID!""",
    "ActivityNarrativeInformation": "ActivityNarrativeSequenceNumber! ActivityNarrativeText!",
    "CurrencyTransactionActivity": """AggregateTransactionIndicator! ArmoredCarServiceIndicator! ATMIndicator!
        MailDepositShipmentIndicator! NightDepositIndicator! SharedBranchingIndicator! TotalCashInReceiveAmountText!
        TotalCashOutAmountText! TransactionDateText! CurrencyTransactionActivityDetail!*""",
    "CurrencyTransactionActivityDetail": """CurrencyTransactionActivityDetailTypeCode! DetailTransactionAmountText!
        OtherCurrencyTransactionActivityDetailText! OtherForeignCurrencyCountryText!""",
}
"""`!` must be there, `*` may come several times."""

_ONE_LINE = re.compile(r"\S+( +\S+)*|")
_SCHEMAS = {"SARX": "EFL_SARXBatchSchema.xsd", "CTRX": "EFL_CTRXBatchSchema.xsd"}


def require_form(report: bytes) -> Element:
    """The report, if it is as the form asks. Raises AssertionError."""
    root = ElementTree.fromstring(report)
    numbers = [element.get("SeqNum") for element in root.iter() if element.get("SeqNum")]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert len(root.findall(".//{*}Activity/{*}Party")) >= 6
    for element in root.iter():
        _require_element(element)
    if folder := public_data.folder("fincen"):
        _schema(folder / _SCHEMAS[root.findtext("{*}FormTypeCode") or ""]).assertValid(etree.fromstring(report))
    return root


@cache
def _schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(path))


def tag_of(element: Element) -> str:
    return element.tag.removeprefix("{www.fincen.gov/base}")


def _require_element(element: Element) -> None:
    tag, children = tag_of(element), [tag_of(child) for child in element]
    if not children:
        assert tag == "ActivityNarrativeText" or _ONE_LINE.fullmatch(element.text or ""), (tag, element.text)
        return
    # Where a party's account tells how it is concerned, only the code stands.
    known = [re.fullmatch(r"(\w+)(!?)(\*?)", word) for word in ORDER[tag].split()]
    names = [found[1] for found in known if found]
    assert [name for name in names for child in children if child == name] == children, (tag, children)
    for found in known:
        assert found is not None
        count = children.count(found[1])
        assert count or not found[2], f"{tag} lacks {found[1]}"
        assert count <= 1 or found[3], f"{tag} has {found[1]} {count} times"
