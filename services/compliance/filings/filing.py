"""A report under way: what it says, how far it has come, and what was done with it. Pure."""

from datetime import date, datetime
from enum import StrEnum

from libs.common.record import Record
from services.compliance.filings.ctr import CtrReport, write_ctr
from services.compliance.filings.efiling import Institution
from services.compliance.filings.property import PropertyReport, write_property
from services.compliance.filings.sar import SarReport, write_sar


class FilingKind(StrEnum):
    """Which form."""

    SAR = "sar"
    CTR = "ctr"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    ANNUAL = "annual"


class FilingStatus(StrEnum):
    """How far a report has come."""

    DRAFT = "draft"
    APPROVED = "approved"
    """Another officer has agreed to what it says."""
    FILED = "filed"
    WITHDRAWN = "withdrawn"
    """It was decided that nothing is reported."""


UNDER_WAY = frozenset({FilingStatus.DRAFT, FilingStatus.APPROVED})


class FilingActKind(StrEnum):
    """What was done with a report."""

    DRAFTED = "drafted"
    REVISED = "revised"
    APPROVED = "approved"
    FILED = "filed"
    WITHDRAWN = "withdrawn"
    REVIEWED = "reviewed"
    """The activity was looked at again, and it was said what was found."""
    CONTINUED = "continued"
    """The activity has gone on, and the report on that was filed."""


class Filing(Record, omit_defaults=True):
    """A report on a case; one on property is perhaps on no case that anybody saw, or on a year."""

    filing_id: str
    case_id: str
    status: FilingStatus = FilingStatus.DRAFT
    sar: SarReport | None = None
    """One of the three is there."""
    ctr: CtrReport | None = None
    ofac: PropertyReport | None = None
    detected_on: date
    due_on: date
    written_by: str
    """Who wrote it last: another must approve."""
    approved_by: str | None = None
    drafted_at: datetime
    document_number: str | None = None
    """Under which it is known where it was filed."""
    filed_on: date | None = None
    review_on: date | None = None
    """By when activity that was reported is looked at again; None once it was, or was reported again."""
    version: int = 0
    """Counts the acts."""

    @property
    def kind(self) -> FilingKind:
        if self.ofac is not None:
            return FilingKind(self.ofac.kind.value)
        return FilingKind.SAR if self.sar is not None else FilingKind.CTR

    @property
    def media_type(self) -> str:
        """Of its file."""
        return "application/xml" if self.ofac is None else "text/csv; charset=utf-8"

    @property
    def file_name(self) -> str:
        return f"{self.kind.value}-{self.filing_id}.{'xml' if self.ofac is None else 'csv'}"

    def written(self, institution: Institution, filed_on: date) -> bytes:
        """The file to be handed in. Raises FilingFault."""
        if self.ofac is not None:
            return write_property(self.ofac, institution, filed_on)
        if self.sar is not None:
            return write_sar(self.sar, institution, filed_on)
        assert self.ctr is not None
        return write_ctr(self.ctr, institution, filed_on)


class FilingAct(Record):
    """One thing that was done with a report. Never changed, never removed."""

    filing_id: str
    number: int
    """Its place among the filing's acts, from 1 without a gap."""
    kind: FilingActKind
    actor: str
    acted_at: datetime
    note: str = ""
