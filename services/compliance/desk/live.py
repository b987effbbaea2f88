"""What tells a page that somebody has changed what it shows: a word that changes with it, and says nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Query

from libs.common.fields import Id
from libs.common.service import Runtime
from services.compliance import queries
from services.compliance.desk import guard
from services.compliance.desk.filters import filtered
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.people import Permission
from services.compliance.queries import CaseFilter

PATH = f"{guard.PATH}/api/pulse"


def routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """/desk/api/pulse."""
    router = guard.programs(PATH)

    @router.get("")
    def pulse(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES),
        case_id: Annotated[Id | None, Query()] = None,
        wanted: CaseFilter = filtered(),
    ) -> Mapping[str, str]:
        """A word that changes when a case does, or what a queue begins with. It shows nothing, and so is no look."""
        if case_id is not None:
            case = queries.find_case(runtime.engine, case_id)
            return {"pulse": str(case.version) if case is not None else ""}
        page = queries.list_cases(runtime.engine, wanted, datetime.now(UTC))
        seen = " ".join(f"{case.case_id} {case.version}" for case in page.cases)
        return {"pulse": blake2b(seen.encode(), digest_size=8).hexdigest()}

    return router
