"""The desk: where people see why something was held up, and decide about it, two at a time."""

from collections.abc import Sequence

from fastapi import APIRouter

from libs.common.service import Runtime
from services.compliance.desk import (
    alike,
    audit_log,
    customers,
    files,
    filing_pages,
    filing_programs,
    lists,
    live,
    overview,
    pages,
    party_data,
    programs,
    property_reports,
    rules,
    signing_in,
    users,
    whitelist,
)
from services.compliance.desk.case_page import CasePages
from services.compliance.desk.sessions import DeskSessions
from services.compliance.settings import ComplianceSettings

LARGE_BODIES = {
    **dict.fromkeys(files.PATHS, files.BODY_BYTES_MAX),
    **dict.fromkeys(lists.IMPORT_PATHS, lists.BODY_BYTES_MAX),
    **dict.fromkeys(whitelist.IMPORT_PATHS, whitelist.BODY_BYTES_MAX),
}
"""Where a request's body may be larger than elsewhere."""


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /desk: pages for people, and the same acts as JSON for programs."""
    settings = runtime.settings
    assert isinstance(settings, ComplianceSettings)
    sessions = DeskSessions(runtime, settings)
    case_pages = CasePages(runtime, settings)
    return [
        signing_in.routes(sessions, settings),
        pages.routes(runtime, sessions, case_pages),
        programs.routes(runtime, sessions),
        *files.routes(runtime, sessions),
        *lists.routes(runtime, sessions),
        live.routes(runtime, sessions),
        *overview.routes(runtime, sessions),
        *rules.routes(runtime, sessions),
        *whitelist.routes(runtime, sessions, case_pages),
        *alike.routes(runtime, sessions),
        *party_data.routes(runtime, sessions, case_pages),
        *customers.routes(runtime, sessions),
        filing_pages.routes(runtime, sessions),
        filing_programs.routes(runtime, sessions),
        *property_reports.routes(runtime, sessions),
        *audit_log.routes(runtime, sessions),
        users.page_routes(runtime, sessions),
        users.program_routes(runtime, sessions),
    ]
