"""Reports on property: what they say, by when they are due, once for each, by one officer and approved by another."""

import csv
import io
from datetime import date
from typing import Any

import pytest

from libs.common import ids
from libs.common.record import replace
from services.compliance.desk.property_reports import annual_year
from services.compliance.domain.business_days import day_of
from services.compliance.domain.filings import ApproveFiling, DraftFiling, RecordFiled, ReviseFiling, WithdrawFiling
from services.compliance.domain.people import Role
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.filing import FilingKind, FilingStatus
from services.compliance.filings.property import (
    AUTHORITY_UNKNOWN,
    ITEMS_MAX,
    OWNER_UNKNOWN,
    PARTIES_ENCRYPTED,
    PropertyItem,
    PropertyKind,
    PropertyReport,
    due_on,
    totals,
    write_property,
)
from tests.unit.compliance.office import PAYMENT, Office
from tests.unit.compliance.test_filings import SAR, WEIR

ITEM = PropertyItem(
    payment_id=PAYMENT,
    on=date(2025, 12, 30),
    amount_minor=125_000,
    currency="EUR",
    owner="Dmitrun Varkosky (test 1: VARKOSKY, Dmitrun)",
    authority="SDGT",
    location="blocked funds",
    description="funds of a payment, blocked",
)
BLOCKED = PropertyReport(kind=PropertyKind.BLOCKED, items=(ITEM,))
ANNUAL = PropertyReport(kind=PropertyKind.ANNUAL, items=(replace(ITEM, on=date(2025, 6, 30)),), year=2025)
ID = ids.named("filing")


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_file_says_who_holds_what_whose_it_is_and_by_which_law() -> None:
    (row,) = rows_of(write_property(BLOCKED, WEIR, date(2026, 1, 5)))
    assert (row["report"], row["holder"], row["contact"]) == ("blocked", WEIR.name, WEIR.contact_name)
    assert (row["amount"], row["currency"], row["date"]) == ("1250.00", "EUR", "2025-12-30")
    assert (row["owner_or_party"], row["legal_authority"]) == (ITEM.owner, "SDGT")


def test_what_a_spreadsheet_would_carry_out_is_text() -> None:
    hostile = replace(BLOCKED, items=(replace(ITEM, owner='=HYPERLINK("http://x")'),))
    (row,) = rows_of(write_property(hostile, WEIR, date(2026, 1, 5)))
    assert row["owner_or_party"].startswith("'=")


@pytest.mark.parametrize(
    ("report", "since", "due"),
    [
        # 31 CFR 501.603(b)(1)(i) and 501.604(c): ten business days, New Year's Day apart
        (BLOCKED, date(2025, 12, 30), date(2026, 1, 14)),
        (replace(BLOCKED, kind=PropertyKind.REJECTED), date(2026, 1, 5), date(2026, 1, 20)),
        # 31 CFR 501.603(b)(2): by September 30
        (ANNUAL, date(2025, 6, 30), date(2025, 9, 30)),
    ],
)
def test_a_report_is_due_when_the_law_says(report: PropertyReport, since: date, due: date) -> None:
    assert due_on(report, since) == due


@pytest.mark.parametrize(
    ("today", "year"), [(date(2026, 6, 30), 2025), (date(2026, 7, 1), 2026), (date(2026, 12, 31), 2026)]
)
def test_the_year_that_is_to_be_reported_is_that_of_the_last_june(today: date, year: int) -> None:
    assert annual_year(today) == year


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (replace(BLOCKED, items=()), "items"),
        (replace(BLOCKED, items=(ITEM, ITEM)), "items"),
        (replace(ANNUAL, items=ANNUAL.items * (ITEMS_MAX + 1)), "items"),
        (replace(BLOCKED, year=2025), "year"),
        (replace(ANNUAL, year=None), "year"),
        (replace(BLOCKED, items=(replace(ITEM, owner=" "),)), "items.0.owner"),
        (replace(BLOCKED, items=(replace(ITEM, authority="x" * 1_001),)), "items.0.authority"),
        (replace(BLOCKED, items=(replace(ITEM, on=date(2026, 1, 6)),)), "items.0.on"),
        (replace(ANNUAL, items=(replace(ITEM, on=date(2025, 7, 1)),)), "items.0.on"),
    ],
)
def test_what_can_not_be_filed_is_told_with_its_field(report: PropertyReport, field: str) -> None:
    with pytest.raises(FilingFault) as caught:
        write_property(report, WEIR, date(2026, 1, 5))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("items", "field", "detail"),
    [
        ((replace(ITEM, owner=OWNER_UNKNOWN),), "items.0.owner", "is still to be filled in"),
        ((replace(ITEM, owner=f" {PARTIES_ENCRYPTED} "),), "items.0.owner", "is still to be filled in"),
        (
            (replace(ITEM, owner=OWNER_UNKNOWN, authority=AUTHORITY_UNKNOWN),),
            "items.0.owner",
            "is still to be filled in; so is items.0.authority",
        ),
    ],
)
def test_what_a_draft_left_open_is_never_filed_and_each_such_field_is_named(
    items: tuple[PropertyItem, ...], field: str, detail: str
) -> None:
    with pytest.raises(FilingFault) as caught:
        write_property(replace(BLOCKED, items=items), WEIR, date(2026, 1, 5))
    assert (caught.value.field, caught.value.detail) == (field, detail)


def test_of_very_many_open_fields_the_first_are_named_and_the_others_counted() -> None:
    open_ = replace(ANNUAL.items[0], owner=OWNER_UNKNOWN)
    with pytest.raises(FilingFault, match=r"so is items\.1\.owner, .*, items\.19\.owner and 5 more$"):
        write_property(replace(ANNUAL, items=(open_,) * 25), WEIR, date(2026, 1, 5))


def test_what_is_held_is_added_up_by_currency() -> None:
    items = (ITEM, ITEM, replace(ITEM, currency="USD", amount_minor=1))
    assert totals(items) == {"EUR": 250_000, "USD": 1}


# On their way


def office() -> Office:
    found = Office()
    found.policy = replace(found.policy, institution=WEIR)
    return found


def draft(report: PropertyReport = BLOCKED, filing_id: str = ID, actor: str = "olga") -> DraftFiling:
    since = date(2025, 6, 30) if report.year else ITEM.on
    return DraftFiling(
        filing_id=filing_id,
        actor=actor,
        role=Role.OFFICER,
        version=0,
        case_id=ids.named("what it is about"),
        detected_on=since,
        ofac=report,
    )


def by(actor: str, kind: type, version: int, **more: Any) -> Any:
    return kind(filing_id=ID, actor=actor, role=Role.OFFICER, version=version, **more)


def filed() -> Office:
    found = office()
    found.decide(draft())
    found.decide(by("oscar", ApproveFiling, 1))
    found.decide(by("olga", RecordFiled, 2, document_number="ORS-1", filed_on=day_of(found.now)))
    return found


def test_a_report_on_property_takes_no_case_and_is_approved_by_another_and_filed() -> None:
    found = office()
    found.decide(draft())
    filing = found.filings[ID]
    assert (filing.kind, filing.due_on) == (FilingKind.BLOCKED, date(2026, 1, 14))
    assert found.refusal(by("olga", ApproveFiling, 1)) == "own_draft"
    assert filed().filings[ID].status is FilingStatus.FILED
    assert filed().filings[ID].review_on is None


def test_property_is_reported_once() -> None:
    assert filed().refusal(draft(filing_id=ids.named("another"))) == "already_drafted"
    found = filed()
    assert found.decide(draft(ANNUAL, filing_id=ids.named("another"))) == []


def test_what_was_withdrawn_may_be_written_again() -> None:
    found = office()
    found.decide(draft())
    found.decide(by("olga", WithdrawFiling, 1, note="not ours"))
    assert found.decide(draft(filing_id=ids.named("another"))) == []


@pytest.mark.parametrize(
    ("of", "refused"),
    [
        ({"ofac": replace(BLOCKED, remarks="more")}, None),
        ({"ofac": replace(BLOCKED, kind=PropertyKind.REJECTED)}, "wrong_status"),
        ({"sar": SAR}, "wrong_status"),
    ],
)
def test_a_report_is_written_anew_on_the_same_form(of: dict[str, Any], refused: str | None) -> None:
    found = office()
    found.decide(draft())
    assert found.refusal(by("oscar", ReviseFiling, 1, **of)) == refused


def test_what_could_not_be_filed_is_not_approved() -> None:
    found = office()
    found.decide(draft(replace(BLOCKED, items=(replace(ITEM, owner=AUTHORITY_UNKNOWN),))))
    assert found.refusal(by("oscar", ApproveFiling, 1)) == "faulty"


def test_nor_is_it_filed_if_it_was_approved_before_that_was_asked() -> None:
    found = office()
    found.decide(draft(replace(BLOCKED, items=(replace(ITEM, owner=AUTHORITY_UNKNOWN),))))
    found.filings[ID] = replace(found.filings[ID], status=FilingStatus.APPROVED)
    handed_in = by("olga", RecordFiled, 1, document_number="ORS-1", filed_on=day_of(found.now))
    assert found.refusal(handed_in) == "faulty"
