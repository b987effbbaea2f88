"""Reports to the authorities: as the forms ask, by their deadlines, and refused in words where they can't be filed."""

from datetime import date
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.record import replace
from services.compliance.desk.filing_forms import read_ctr
from services.compliance.filings import deadlines
from services.compliance.filings.ctr import CashParty, CtrReport, write_ctr
from services.compliance.filings.efiling import (
    Address,
    Identification,
    IdentificationKind,
    Institution,
    InstitutionKind,
    PartyCode,
    Person,
    Regulator,
)
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.narrative import LENGTH_MAX, PART_LENGTH_MAX, PARTS_MAX, parts_of
from services.compliance.filings.sar import SarReport, Suspicion, SuspiciousKind, write_sar
from tests.unit.compliance.forms import require_form, tag_of

WEIR = Institution(
    name="Weir Payments Inc.",
    tin="12-3456789",
    control_code="TWEIR001",
    kind=InstitutionKind.MONEY_SERVICES_BUSINESS,
    regulator=Regulator.IRS,
    address=Address(street="1 Mill Race", city="Boston", state="MA", postal_code="02110", country="US"),
    phone="+1 617 555 0100",
    contact_name="Jane Officer",
    contact_office="Compliance",
    contact_phone="617-555-0101",
)
ANN = Person(
    last_name="O’Neill & Söhne",
    first_name="Ann",
    birth_date="1980-05",
    address=Address(city="Graz", country="AT", street="Hauptplatz 1", postal_code="8010"),
    documents=(Identification(kind=IdentificationKind.PASSPORT, number="P 123-456", country="AT"),),
    tin=Identification(kind=IdentificationKind.FOREIGN, number="12 345", country="AT"),
    accounts=("0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",),
    aliases=("Annie Neill",),
    occupation="Trader",
    phone="+43 316 1",
)
NOBODY = Person(last_name=None)
COMPANY = Person(last_name="Mules Ltd", is_entity=True, accounts=("1", "2"), is_customer=False)
SAR = SarReport(
    subjects=(ANN, NOBODY, COMPANY),
    suspicions=(
        Suspicion(kind=SuspiciousKind.BELOW_CTR_THRESHOLD),
        Suspicion(kind=SuspiciousKind.OTHER, other="Mirrored amounts"),
    ),
    began_on=date(2026, 10, 1),
    ended_on=date(2026, 10, 9),
    dollars=28_500,
    narrative="Three deposits of 9,500 dollars in nine days.\n\nNo purpose was given.",
)
CTR = CtrReport(
    parties=(CashParty(person=ANN, cash_in_dollars=10_001),),
    transacted_on=date(2026, 10, 1),
    cash_in_dollars=10_001,
    cash_out_dollars=0,
    is_aggregated=True,
)


FILED_ON = date(2026, 11, 2)


def sar(institution: Institution = WEIR, filed_on: date = FILED_ON, **change: Any) -> bytes:
    return write_sar(replace(SAR, **change), institution, filed_on)


def ctr(filed_on: date = FILED_ON, **change: Any) -> bytes:
    return write_ctr(replace(CTR, **change), WEIR, filed_on)


def texts(root: Element, tag: str) -> list[str]:
    return [element.text or "" for element in root.iter() if tag_of(element) == tag]


def codes(root: Element) -> list[str]:
    return [party.findtext("{*}ActivityPartyTypeCode") or "" for party in root.findall(".//{*}Activity/{*}Party")]


def test_a_suspicious_activity_report_is_as_its_form_asks() -> None:
    root = require_form(sar())
    assert codes(root) == ["35", "37", "30", "8", "34", "33", "33", "33"]
    assert root.attrib == {
        "TotalAmount": "28500", "PartyCount": "3", "ActivityCount": "1",
        "ActivityAttachmentCount": "0", "AttachmentCount": "0",
    }  # fmt: skip
    assert texts(root, "SuspiciousActivitySubtypeID") == ["114", "9999"]
    assert texts(root, "SuspiciousActivityTypeID") == ["1", "9"]
    assert texts(root, "OtherSuspiciousActivityTypeText") == ["Mirrored amounts"]
    assert texts(root, "IndividualBirthDateText") == ["19800500"]
    assert texts(root, "AccountNumberText") == [*ANN.accounts, "1", "2"]
    assert texts(root, "RawStateCodeText") == ["MA"] * 3, "Austria has no states that the form knows"
    assert texts(root, "ActivityNarrativeText") == [SAR.narrative]
    assert "12345" in texts(root, "PartyIdentificationNumberText")
    assert texts(root, "InitialReportIndicator") == ["Y"]


def test_a_report_without_a_suspect_says_so() -> None:
    root = require_form(sar(subjects=(), dollars=None))
    assert codes(root)[-1] == PartyCode.SUBJECT
    assert texts(root, "AllCriticalSubjectInformationUnavailableIndicator") == ["Y"]
    assert (texts(root, "AmountUnknownIndicator"), root.get("TotalAmount")) == (["Y"], "0")


def test_a_report_on_what_goes_on_names_the_one_before_and_all_that_was_reported() -> None:
    root = require_form(sar(prior_document_number=31_000_123_456_789, cumulative_dollars=60_000))
    assert texts(root, "EFilingPriorDocumentNumber") == ["31000123456789"]
    assert texts(root, "ContinuingActivityReportIndicator") == ["Y"]
    assert texts(root, "InitialReportIndicator") == []
    assert texts(root, "CumulativeTotalViolationAmountText") == ["60000"]


def test_names_are_written_whatever_stands_in_them() -> None:
    hostile = replace(NOBODY, last_name="  <script>\n\x00alert(1)</script> & co  ", first_name="\u202eeve")
    root = require_form(sar(subjects=(hostile,)))
    assert texts(root, "RawEntityIndividualLastName") == ["<script> alert(1)</script> & co"]


def test_a_currency_transaction_report_is_as_its_form_asks() -> None:
    two = (
        CashParty(person=ANN, cash_in_dollars=12_000, cash_out_dollars=300),
        CashParty(person=COMPANY, code=PartyCode.ON_WHOSE_BEHALF, cash_in_dollars=12_000),
    )
    root = require_form(ctr(parties=two, cash_in_dollars=12_000, cash_out_dollars=300))
    assert codes(root) == ["35", "37", "30", "8", "34", "50", "23"]
    assert (root.get("TotalAmount"), root.get("PartyCount")) == ("12300", "2")
    assert texts(root, "CurrencyTransactionActivityDetailTypeCode") == ["55", "56"]
    assert texts(root, "DetailTransactionAmountText") == ["12000", "300"]
    assert texts(root, "AggregateTransactionIndicator") == ["Y"]
    assert texts(root, "AccountNumberText") == [ANN.accounts[0], ANN.accounts[0], "1", "2"]


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"suspicions": ()}, "suspicions", "are missing: at least one kind of suspicious activity"),
        ({"suspicions": (Suspicion(kind=SuspiciousKind.OTHER),)}, "suspicions.0.other", "is missing"),
        ({"suspicions": SAR.suspicions[:1] * 2}, "suspicions", "name a kind twice"),
        ({"narrative": " \n "}, "narrative", "is missing: what happened"),
        ({"narrative": "x" * 17_001}, "narrative", "has 17,001 characters; at most 17,000 can be filed"),
        ({"ended_on": date(2026, 9, 30)}, "ended_on", "lies before the day it began"),
        ({"filed_on": date(2026, 10, 8)}, "filed_on", "lies before the end of the activity"),
        ({"dollars": 10**15}, "dollars", "is no amount that the form takes"),
        ({"subjects": (replace(ANN, birth_date="May 1980"),)}, "subjects.0.birth_date", "is no date of birth"),
        ({"subjects": (replace(ANN, last_name="x" * 151),)}, "subjects.0.last_name", "has 151 characters; the form"),
        ({"subjects": (replace(ANN, accounts=("x" * 41,)),)}, "subjects.0.accounts", "has 41 characters"),
        ({"institution": replace(WEIR, name=" ")}, "institution.name", "is missing"),
    ],
)
def test_what_can_not_be_filed_is_refused_with_the_field(change: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(FilingFault, match=r".") as raised:
        sar(**change)
    assert raised.value.field == field
    assert raised.value.detail.startswith(told)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cash_in_dollars": 10_000}, "cash_in_dollars"),
        ({"cash_in_dollars": 6_000, "cash_out_dollars": 6_000}, "cash_in_dollars"),
        ({"parties": ()}, "parties"),
        ({"filed_on": date(2026, 9, 30)}, "filed_on"),
    ],
)
def test_cash_that_need_not_be_reported_is_not(change: dict[str, Any], field: str) -> None:
    """In and out are not added up, and ten thousand dollars are not more than ten thousand."""
    with pytest.raises(FilingFault) as raised:
        ctr(**change)
    assert raised.value.field == field


def cash(person: Person, cash_in: int, code: PartyCode = PartyCode.CONDUCTOR) -> CashParty:
    return CashParty(person=person, code=code, cash_in_dollars=cash_in)


OTHER = replace(ANN, first_name="Ben")


@pytest.mark.parametrize(
    ("parties", "total", "field"),
    [
        # 31 CFR 1010.313(b): by or on behalf of any one person
        ((cash(ANN, 6_000), cash(OTHER, 6_000)), 12_000, "parties"),
        ((cash(ANN, 12_001),), 12_000, "parties.0.cash_in_dollars"),
        ((cash(ANN, 11_000),), 12_000, "cash_in_dollars"),
        # 31 CFR 1010.312: who presents it, and on whose behalf it is
        ((cash(ANN, 12_000, PartyCode.CONDUCTOR_FOR_OTHER),), 12_000, "parties.0.code"),
        ((cash(ANN, 12_000, PartyCode.SUBJECT),), 12_000, "parties.0.code"),
        (
            (cash(ANN, 6_000, PartyCode.CONDUCTOR_FOR_OTHER), cash(COMPANY, 6_000, PartyCode.ON_WHOSE_BEHALF)),
            12_000,
            "cash_in_dollars",
        ),
    ],
)
def test_of_several_persons_each_is_named_with_what_was_theirs(
    parties: tuple[CashParty, ...], total: int, field: str
) -> None:
    with pytest.raises(FilingFault) as raised:
        ctr(parties=parties, cash_in_dollars=total)
    assert raised.value.field == field


@pytest.mark.parametrize(
    "parties",
    [
        # One brings it for two, of whom one is above the threshold with this and what she brought herself.
        (
            cash(ANN, 12_000, PartyCode.CONDUCTOR_FOR_OTHER),
            cash(COMPANY, 11_000, PartyCode.ON_WHOSE_BEHALF),
            cash(OTHER, 1_000, PartyCode.ON_WHOSE_BEHALF),
        ),
        # She brings it for two others: by her, it is above the threshold (31 CFR 1010.311, 1010.313(b)).
        (
            cash(ANN, 12_000, PartyCode.CONDUCTOR_FOR_OTHER),
            cash(COMPANY, 6_000, PartyCode.ON_WHOSE_BEHALF),
            cash(OTHER, 6_000, PartyCode.ON_WHOSE_BEHALF),
        ),
        # She brings some for herself and some for another.
        (
            cash(ANN, 6_000),
            cash(ANN, 6_000, PartyCode.CONDUCTOR_FOR_OTHER),
            cash(OTHER, 6_000, PartyCode.ON_WHOSE_BEHALF),
        ),
        # Who holds an account together: each with all of it.
        (cash(ANN, 12_000), cash(OTHER, 12_000, PartyCode.ON_WHOSE_BEHALF)),
    ],
)
def test_a_report_names_all_who_brought_cash_and_all_for_whom(parties: tuple[CashParty, ...]) -> None:
    root = require_form(ctr(parties=parties, cash_in_dollars=12_000))
    assert texts(root, "IndividualEntityCashInAmountText") == [str(party.cash_in_dollars) for party in parties]


def written_on_the_form(**more: str) -> dict[str, str]:
    form = {"transacted_on": "2026-10-01", "cash_in_dollars": "12,000", "cash_out_dollars": ""}
    return {**form, "subjects.0.last_name": "Miller", **more}


def test_on_the_form_all_is_of_the_only_person_and_of_several_each_says_what() -> None:
    (only,) = read_ctr(written_on_the_form()).parties
    assert (only.cash_in_dollars, only.code) == (12_000, PartyCode.CONDUCTOR)
    several = {"subjects.1.last_name": "Baker", "subjects.1.code": "23", "subjects.1.cash_in_dollars": "11,000"}
    with pytest.raises(FilingFault) as raised:
        read_ctr(written_on_the_form(**several))
    assert raised.value.field == "subjects.0.cash_in_dollars"
    parties = read_ctr(written_on_the_form(**several, **{"subjects.0.cash_in_dollars": "12,000"})).parties
    assert [(party.cash_in_dollars, party.code.value) for party in parties] == [(12_000, "50"), (11_000, "23")]
    with pytest.raises(FilingFault):
        read_ctr(written_on_the_form(**{"subjects.0.code": "33"}))


# The narrative


def test_a_narrative_is_divided_where_a_paragraph_ends() -> None:
    first, second = "a" * 3_000 + ".", "b" * 2_000
    assert parts_of(f"{first}\n\n{second}") == (first, second)


def test_a_narrative_without_any_space_is_divided_anyway() -> None:
    assert list(map(len, parts_of("x" * LENGTH_MAX))) == [4_000] * 4 + [1_000]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from([" ", ". ", "\n", "\n\n"])), min_size=1, max_size=60))
def test_a_divided_narrative_says_all_that_it_said(words: list[tuple[int, str]]) -> None:
    narrative = "".join("w" * length + mark for length, mark in words).strip()[:LENGTH_MAX].strip()
    parts = parts_of(narrative)
    assert len(parts) <= PARTS_MAX and all(0 < len(part) <= PART_LENGTH_MAX for part in parts)
    assert "".join("".join(parts).split()) == "".join(narrative.split())


# Deadlines


def test_reports_are_due_when_the_law_says() -> None:
    detected = date(2026, 1, 15)
    assert deadlines.sar_due_on(detected, is_suspect_known=True, by=InstitutionKind.BANK) == date(2026, 2, 14)
    assert deadlines.sar_due_on(detected, is_suspect_known=False, by=InstitutionKind.BANK) == date(2026, 3, 16)
    assert deadlines.review_due_on(detected) == date(2026, 4, 15)
    assert deadlines.continuing_sar_due_on(detected) == date(2026, 5, 15)
    assert deadlines.ctr_due_on(detected) == date(2026, 1, 30)
    # Martin Luther King Day, 19 January, is no business day.
    assert deadlines.blocked_report_due_on(detected) == date(2026, 1, 30)
    assert deadlines.annual_report_due_on(date(2026, 9, 30)) == date(2026, 9, 30)
    assert deadlines.annual_report_due_on(date(2026, 10, 1)) == date(2027, 9, 30)
