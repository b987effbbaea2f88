"""What officers do with reports to the authorities, carried out as what is done with cases is."""

from datetime import UTC, date, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Request
from pydantic import Field

from libs.common.batch import Refusal
from libs.common.fields import NO_CARD_NUMBER, Body
from libs.common.idempotency import Answer
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import filing_queries
from services.compliance.desk.sessions import DeskSession
from services.compliance.desk.submitting import Submission, submit
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.case import NOTE_LENGTH_MAX
from services.compliance.domain.filings import (
    ApproveFiling,
    FilingCommand,
    FilingRefusal,
    RecordFiled,
    ReviewFiling,
    WithdrawFiling,
)
from services.compliance.domain.work import Policy, Work
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.filing import Filing
from services.compliance.settings import ComplianceSettings

DOCUMENT_NUMBER_LENGTH_MAX = 40


class FilingVerb(StrEnum):
    """What can be done with a report besides writing it."""

    APPROVE = "approve"
    FILED = "filed"
    WITHDRAW = "withdraw"
    REVIEW = "review"


_STATUS = {
    FilingRefusal.CASE_UNKNOWN: HTTPStatus.NOT_FOUND,
    FilingRefusal.FILING_UNKNOWN: HTTPStatus.NOT_FOUND,
    FilingRefusal.NOTE_MISSING: HTTPStatus.UNPROCESSABLE_ENTITY,
    FilingRefusal.PRIOR_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    FilingRefusal.DATE_WRONG: HTTPStatus.UNPROCESSABLE_ENTITY,
    FilingRefusal.FAULTY: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class VerbBody(Body):
    """What someone wants to do with a report, as far as the verb needs it."""

    version: int
    """The version of the filing that was seen."""
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER] = ""
    document_number: Annotated[str, Field(max_length=DOCUMENT_NUMBER_LENGTH_MAX), NO_CARD_NUMBER] = ""
    filed_on: date | None = None


class Filings:
    """Carries out what officers do, and reads what there is. Raises Problem, and as the edge."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def policy(self) -> Policy:
        assert isinstance(self._runtime.settings, ComplianceSettings)
        return self._runtime.settings.policy

    def find(self, filing_id: str) -> Filing:
        found = filing_queries.find_filing(self._runtime.engine, filing_id)
        if found is None:
            raise _problem(Refusal(reason=FilingRefusal.FILING_UNKNOWN, detail="There is no such filing."))
        return found

    def file(self, filing: Filing) -> bytes:
        """The XML, dated today unless it was filed."""
        if self.policy.institution is None:
            raise Problem(HTTPStatus.CONFLICT, FilingRefusal.NO_INSTITUTION, "WEIR_INSTITUTION_FILE names nobody.")
        try:
            return filing.written(self.policy.institution, filing.filed_on or day_of(datetime.now(UTC)))
        except FilingFault as fault:
            raise Problem(HTTPStatus.CONFLICT, FilingRefusal.FAULTY, str(fault), field=fault.field) from fault

    async def submit(self, request: Request, command: FilingCommand, key: str, by: DeskSession) -> Answer:
        """Have a command carried out, once by its key. What is refused is in the audit log, too."""

        def done(work: Work) -> dict[str, str | int]:
            filing = work.filings[command.filing_id]
            return {"filing_id": filing.filing_id, "status": filing.status.value, "version": filing.version}

        submission = Submission(
            route=f"filings/{type(command).__name__}",
            command=command,
            body=msgspec.json.encode(command),
            done=done,
            problem=_problem,
            kind=ObjectKind.FILING,
            object_id=command.filing_id,
            asked="",
        )
        return await submit(self._runtime, submission, by=by, key=key, trace=request.state.trace)


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(FilingRefusal(refusal.reason), HTTPStatus.CONFLICT)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)


def command_of(verb: FilingVerb, filing_id: str, by: DeskSession, body: VerbBody) -> FilingCommand:
    """What somebody wants with a verb. Raises Problem for one that lacks what it needs."""
    common: dict[str, Any] = {**by.signature, "filing_id": filing_id, "version": body.version}
    match verb:
        case FilingVerb.APPROVE:
            return ApproveFiling(**common)
        case FilingVerb.WITHDRAW:
            return WithdrawFiling(**common, note=body.note)
        case FilingVerb.REVIEW:
            return ReviewFiling(**common, note=body.note)
        case FilingVerb.FILED:
            if body.filed_on is None or not body.document_number.strip():
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "missing",
                    "say when it was filed, and its number",
                    field="filed_on",
                )
            return RecordFiled(**common, document_number=body.document_number.strip(), filed_on=body.filed_on)
