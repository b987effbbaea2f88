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
    ReviseFiling,
    WithdrawFiling,
)
from services.compliance.domain.people import Role
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
    ("change", "days"),
    [({}, 30), ({"subjects": ()}, 60), ({"prior_document_number": 7}, 120)],
)
def test_a_suspicious_activity_report_is_due_by_what_it_says(change: dict[str, Any], days: int) -> None:
    files = Files()
    files.office.decide(files.draft(sar=replace(files.sar, **change)))
    assert files.filing.due_on == files.today + timedelta(days=days)


def test_cash_is_reported_within_fifteen_days_and_not_looked_at_again() -> None:
    files = Files()
    files.office.decide(files.draft(sar=None, ctr=files.ctr, detected_on=files.ctr.transacted_on))
    assert files.filing.due_on == files.ctr.transacted_on + timedelta(days=15)
    files.office.decide(files.act(ApproveFiling, "oscar"))
    files.office.decide(files.act(RecordFiled, "oscar", document_number="1", filed_on=files.today))
    assert files.filing.review_on is None


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
