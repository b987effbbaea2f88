"""Reports for tests: one that can be filed, on any case."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from services.compliance.domain.business_days import day_of
from services.compliance.domain.filings import ApproveFiling, DraftFiling, RecordFiled
from services.compliance.domain.people import Role
from services.compliance.filings.sar import SarReport
from services.compliance.property_queries import draft_blocked
from tests.deciding import decide
from tests.unit.compliance.test_filings import SAR, WEIR

TODAY = day_of(datetime.now(UTC))
REPORT: SarReport = replace(SAR, began_on=TODAY - timedelta(days=9), ended_on=TODAY - timedelta(days=1))
FORM = {
    "kind": "sar",
    "detected_on": TODAY.isoformat(),
    "began_on": REPORT.began_on.isoformat(),
    "ended_on": REPORT.ended_on.isoformat(),
    "dollars": "$28,500",
    "suspicions": ["114", "9999"],
    "other": "Mirrored amounts",
    "narrative": "Three deposits.",
    "subjects.0.last_name": "Miller",
    "subjects.0.is_customer": "yes",
}


def write_institution(folder: Path) -> Path:
    """The file that says who files."""
    path = folder / "institution.json"
    path.write_bytes(msgspec.json.encode(WEIR))
    return path


def filing_on(runtime: Runtime, case_id: str, *, approved: bool = False, number: str = "") -> str:
    """A report by olga, which oscar may have approved, and olga have filed under a number."""
    filing_id = ids.new()
    draft = DraftFiling(
        filing_id=filing_id, actor="olga", role=Role.OFFICER, version=0, case_id=case_id, detected_on=TODAY, sar=REPORT
    )
    decide(runtime, draft)
    if approved or number:
        decide(runtime, ApproveFiling(filing_id=filing_id, actor="oscar", role=Role.OFFICER, version=1))
    if number:
        signature: dict[str, Any] = {"actor": "olga", "role": Role.OFFICER, "version": 2}
        decide(runtime, RecordFiled(filing_id=filing_id, **signature, document_number=number, filed_on=TODAY))
    return filing_id


def property_report_on(runtime: Runtime, payment_id: str) -> str:
    """A report by olga on what was blocked of a payment."""
    found = draft_blocked(runtime.engine, payment_id)
    assert found is not None
    filing_id = ids.new()
    draft = DraftFiling(
        filing_id=filing_id,
        actor="olga",
        role=Role.OFFICER,
        version=0,
        case_id=found.case_id,
        detected_on=found.since,
        ofac=found.report,
    )
    decide(runtime, draft)
    return filing_id


def as_json(report: SarReport = REPORT) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(report)
    return found
