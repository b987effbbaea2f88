"""Reports on their way: one officer writes, another approves; by their deadlines; and nothing else tells of them."""

from datetime import date, timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.record import replace
from services.compliance.domain.business_days import day_of
from services.compliance.domain.filings import (
    ApproveFiling,
    DraftFiling,
    RecordFiled,
    ReviewFiling,
    ReviseFiling,
    WithdrawFiling,
)
from services.compliance.domain.people import Role
from services.compliance.filings.efiling import InstitutionKind
from services.compliance.filings.filing import Filing, FilingStatus
from services.compliance.filings.sar import SarReport
from tests.unit.compliance.office import Office, suspended
from tests.unit.compliance.test_filings import CTR, SAR, WEIR

ID = ids.named("filing")


class Files:
    """An office with one case, about which reports are written."""

    def __init__(self) -> None:
        self.office = Office()
        self.office.policy = replace(self.office.policy, institution=WEIR)
        self.office.decide(suspended())
        self.today = day_of(self.office.now)
        last = self.today - timedelta(days=1)
        self.sar = replace(SAR, began_on=last - timedelta(days=8), ended_on=last)
        self.ctr = replace(CTR, transacted_on=last)

    @property
    def filing(self) -> Filing:
        return self.office.filings[ID]

    def draft(self, actor: str = "olga", **change: Any) -> DraftFiling:
        fields: dict[str, Any] = {"detected_on": self.today, "sar": self.sar, **change}
        case_id = fields.pop("case_id", self.office.case().case_id)
        return DraftFiling(
            filing_id=fields.pop("filing_id", ID), actor=actor, role=Role.OFFICER, version=0, case_id=case_id, **fields
        )

    def act(self, kind: type, actor: str, **more: Any) -> Any:
        return kind(
            filing_id=ID, actor=actor, role=Role.OFFICER, version=more.pop("version", self.filing.version), **more
        )

    def approved(self) -> "Files":
        self.office.decide(self.draft())
        self.office.decide(self.act(ApproveFiling, "oscar"))
        return self

    def filed(self, number: str, days_ago: int = 0) -> "Files":
        filed_on = self.today - timedelta(days=days_ago)
        old = replace(self.sar, began_on=filed_on - timedelta(days=9), ended_on=filed_on - timedelta(days=1))
        self.office.decide(self.draft(sar=old, detected_on=filed_on))
        self.office.decide(self.act(ApproveFiling, "oscar"))
        self.office.decide(self.act(RecordFiled, "olga", document_number=number, filed_on=filed_on))
        return self


def test_a_report_is_drafted_approved_by_another_and_filed() -> None:
    files = Files()
    assert files.office.decide(files.draft()) == []
    assert (files.filing.status, files.filing.due_on) == (FilingStatus.DRAFT, files.today + timedelta(days=30))
    assert files.office.decide(files.act(ApproveFiling, "oscar")) == []
    assert (files.filing.status, files.filing.approved_by) == (FilingStatus.APPROVED, "oscar")
    filed = files.act(RecordFiled, "olga", document_number="31000123456789", filed_on=files.today)
    assert files.office.decide(filed) == []
    assert (files.filing.status, files.filing.document_number) == (FilingStatus.FILED, "31000123456789")
    assert files.filing.review_on == files.today + timedelta(days=90)
    assert [act.kind.value for act in files.office.filing_acts] == ["drafted", "approved", "filed"]
    told = [(entry.actor, entry.role, entry.verb, entry.object_id) for entry in files.office.audit]
    assert told == [
        ("olga", "officer", "drafted", ID),
        ("oscar", "officer", "approved", ID),
        ("olga", "officer", "filed", ID),
    ]


def test_nothing_but_the_filing_itself_tells_of_it() -> None:
    """No event, no act of the case, no field of it: tipping off begins with a trace."""
    files = Files()
    case, acts = files.office.case(), len(files.office.acts)
    files.approved()
    assert files.office.case() == case
    assert len(files.office.acts) == acts


@pytest.mark.parametrize(
    ("change", "kind", "days"),
    [
        ({}, InstitutionKind.BANK, 30),
        ({"subjects": ()}, InstitutionKind.BANK, 60),
        ({"subjects": ()}, InstitutionKind.MONEY_SERVICES_BUSINESS, 30),
        ({"subjects": ()}, None, 30),
    ],
)
def test_a_suspicious_activity_report_is_due_by_what_it_says_and_by_who_files_it(
    change: dict[str, Any], kind: InstitutionKind | None, days: int
) -> None:
    files = Files()
    institution = replace(WEIR, kind=kind) if kind is not None else None
    files.office.policy = replace(files.office.policy, institution=institution)
    files.office.decide(files.draft(sar=replace(files.sar, **change)))
    assert files.filing.due_on == files.today + timedelta(days=days)


def test_cash_is_reported_within_fifteen_days_and_not_looked_at_again() -> None:
    files = Files()
    paid_on = files.today - timedelta(days=10)
    files.office.decide(files.draft(sar=None, ctr=replace(files.ctr, transacted_on=paid_on), detected_on=files.today))
    assert files.filing.due_on == paid_on + timedelta(days=15), "whenever somebody noticed"
    earlier = replace(files.ctr, transacted_on=paid_on - timedelta(days=1))
    files.office.decide(files.act(ReviseFiling, "olga", ctr=earlier))
    assert files.filing.due_on == earlier.transacted_on + timedelta(days=15)
    files.office.decide(files.act(ApproveFiling, "oscar"))
    files.office.decide(files.act(RecordFiled, "oscar", document_number="1", filed_on=files.today))
    assert files.filing.review_on is None


def test_what_goes_on_is_due_120_days_after_the_report_before_was_filed() -> None:
    files = Files().filed("31000123456789", days_ago=100)
    continuing = replace(files.sar, prior_document_number=31000123456789)
    second = files.draft(filing_id=ids.named("second"), sar=continuing)
    files.office.decide(second)
    drafted = files.office.filings[second.filing_id]
    filed_on = files.filing.filed_on
    assert filed_on is not None and drafted.sar is not None
    assert (drafted.sar.prior_filed_on, drafted.due_on) == (filed_on, filed_on + timedelta(days=120))


def test_for_a_report_that_was_filed_elsewhere_the_day_is_asked() -> None:
    files = Files()
    elsewhere = replace(files.sar, prior_document_number=7)
    assert files.office.refusal(files.draft(sar=elsewhere)) == "prior_unknown"
    after = replace(elsewhere, prior_filed_on=files.today + timedelta(days=1))
    assert files.office.refusal(files.draft(sar=after)) == "date_wrong"
    filed_on = files.today - timedelta(days=91)
    files.office.decide(files.draft(sar=replace(elsewhere, prior_filed_on=filed_on)))
    assert files.filing.due_on == filed_on + timedelta(days=120)
    assert files.office.refusal(files.act(ReviseFiling, "olga", sar=elsewhere)) == "prior_unknown"
    files.office.decide(files.act(ReviseFiling, "olga", sar=files.sar))
    assert files.filing.due_on == files.today + timedelta(days=30), "it continues nothing any more"


def test_what_was_looked_at_again_needs_no_second_look() -> None:
    files = Files().filed("31000123456789")
    assert files.office.refusal(files.act(ReviewFiling, "oscar", note=" ")) == "note_missing"
    assert files.office.refusal(files.act(ReviewFiling, "oscar", note="Ended.", version=1)) == "stale"
    files.office.decide(files.act(ReviewFiling, "oscar", note=" It has ended. "))
    last = files.office.filing_acts[-1]
    assert (files.filing.status, files.filing.review_on) == (FilingStatus.FILED, None)
    assert (last.kind.value, last.actor, last.note) == ("reviewed", "oscar", "It has ended.")
    assert (files.office.audit[-1].verb, files.office.audit[-1].object_id) == ("reviewed", ID)
    assert files.office.refusal(files.act(ReviewFiling, "oscar", note="Again.")) == "wrong_status"


def test_a_report_that_continues_another_takes_it_off_the_list_when_it_is_filed() -> None:
    files = Files().filed("31000123456789", days_ago=95)
    again_by = files.filing.review_on
    second = ids.named("second")
    continuing = replace(files.sar, prior_document_number=31000123456789)
    files.office.decide(files.draft(filing_id=second, sar=continuing))
    approve = ApproveFiling(filing_id=second, actor="oscar", role=Role.OFFICER, version=1)
    files.office.decide(approve)
    assert files.filing.review_on == again_by, "a draft is no report"
    files.office.decide(
        RecordFiled(
            filing_id=second,
            actor="olga",
            role=Role.OFFICER,
            version=2,
            document_number="31000123456790",
            filed_on=files.today,
        )
    )
    assert files.filing.review_on is None
    assert files.office.filings[second].review_on == files.today + timedelta(days=90), "and that one goes on itself"
    told = [(act.filing_id, act.kind.value) for act in files.office.filing_acts[-2:]]
    assert told == [(second, "filed"), (ID, "continued")]


def test_what_is_revised_is_approved_again_by_somebody_else_than_who_revised_it() -> None:
    files = Files().approved()
    files.office.decide(files.act(ReviseFiling, "oscar", sar=replace(files.sar, narrative="Better.")))
    assert (files.filing.status, files.filing.approved_by) == (FilingStatus.DRAFT, None)
    assert files.office.refusal(files.act(ApproveFiling, "oscar")) == "own_draft"
    files.office.decide(files.act(ApproveFiling, "olga"))
    assert files.filing.status is FilingStatus.APPROVED


def test_that_nothing_is_reported_is_decided_with_a_reason_and_kept() -> None:
    files = Files()
    files.office.decide(files.draft())
    assert files.office.refusal(files.act(WithdrawFiling, "olga", note=" ")) == "note_missing"
    files.office.decide(files.act(WithdrawFiling, "olga", note="Explained by a sale."))
    assert (files.filing.status, files.office.filing_acts[-1].note) == (FilingStatus.WITHDRAWN, "Explained by a sale.")
    files.office.decide(files.draft(filing_id=ids.named("another")))


def test_a_draft_is_refused_for_its_reason() -> None:
    files = Files()
    assert files.office.refusal(files.draft(case_id=ids.new())) == "case_unknown"
    assert files.office.refusal(files.draft(detected_on=files.today + timedelta(days=1))) == "date_wrong"
    files.office.decide(files.draft())
    for other in (ID, ids.named("another")):
        assert files.office.refusal(files.draft(filing_id=other)) == "already_drafted"
    files.office.decide(files.draft(filing_id=ids.named("cash"), sar=None, ctr=files.ctr))


def test_a_filing_is_acted_on_in_its_order_only() -> None:
    files = Files()
    unknown = ApproveFiling(filing_id=ids.new(), actor="oscar", role=Role.OFFICER, version=1)
    assert files.office.refusal(unknown) == "filing_unknown"
    files.office.decide(files.draft())
    filed = {"document_number": "1", "filed_on": files.today}
    assert files.office.refusal(files.act(RecordFiled, "olga", **filed)) == "wrong_status"
    assert files.office.refusal(files.act(ReviseFiling, "olga", ctr=files.ctr)) == "wrong_status"
    assert files.office.refusal(files.act(ApproveFiling, "oscar", version=9)) == "stale"
    files.office.decide(files.act(ApproveFiling, "oscar"))
    assert files.office.refusal(files.act(ApproveFiling, "olga")) == "wrong_status"
    for day in (files.today + timedelta(days=1), date(2000, 1, 1)):
        assert files.office.refusal(files.act(RecordFiled, "olga", **{**filed, "filed_on": day})) == "date_wrong"


def test_what_could_not_be_filed_is_not_approved() -> None:
    files = Files()
    files.office.decide(files.draft(sar=replace(files.sar, narrative=" ")))
    assert files.office.refusal(files.act(ApproveFiling, "oscar")) == "faulty"
    better: SarReport = replace(files.sar, narrative="Three deposits.")
    files.office.decide(files.act(ReviseFiling, "olga", sar=better))
    files.office.policy = replace(files.office.policy, institution=None)
    assert files.office.refusal(files.act(ApproveFiling, "oscar")) == "no_institution"
