"""The audit log at the desk: who looked at what and did what, and whether the log is what was written."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance.desk import guard, render
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import AuditEntry, ObjectKind
from services.compliance.domain.people import Permission
from services.compliance.store import audit

PAGE_LENGTH = 50
PAGE_LENGTH_MAX = 500
VERIFIED_ENTRIES_MAX = 500_000
"""As many as are verified in some seconds; more are for the command."""
NUMBER_MAX = 2**63 - 1

Before = Annotated[int | None, Query(ge=1, le=NUMBER_MAX)]
Actor = Annotated[str | None, Query(max_length=100)]
ObjectId = Annotated[str | None, Query(max_length=200)]


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/audit and /desk/api/audit."""
    return [_pages(runtime, sessions), _programs(runtime, sessions)]


def _pages(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    router = APIRouter(prefix=guard.PATH, route_class=guard.PageRoute, include_in_schema=False)
    sees_audit = guard.allow(sessions, Permission.SEE_AUDIT, ObjectKind.AUDIT)

    @router.get("/audit")
    def show(
        person: DeskSession = sees_audit, before: Before = None, actor: Actor = None, object_id: ObjectId = None
    ) -> Response:
        """The log, the newest entries first."""
        entries = audit.list_entries(
            runtime.engine, before=before, actor=actor or None, object_id=object_id or None, limit=PAGE_LENGTH + 1
        )
        return render.page(
            "audit.html",
            person=person,
            entries=entries[:PAGE_LENGTH],
            next_before=entries[PAGE_LENGTH - 1].number if len(entries) > PAGE_LENGTH else None,
            actor=actor or "",
            object_id=object_id or "",
        )

    return router


def _programs(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    router = guard.programs(f"{guard.PATH}/api")
    sees_audit = guard.allow(sessions, Permission.SEE_AUDIT, ObjectKind.AUDIT)

    @router.get("/audit")
    def list_entries(
        person: DeskSession = sees_audit,
        before: Before = None,
        actor: Actor = None,
        object_id: ObjectId = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LENGTH_MAX)] = PAGE_LENGTH,
    ) -> Mapping[str, Any]:
        """The log, the newest entries first; `before` an entry's number goes on from there."""
        entries = audit.list_entries(runtime.engine, before=before, actor=actor, object_id=object_id, limit=limit)
        return {"entries": [_view(entry) for entry in entries]}

    @router.get("/audit/verification")
    def verify(person: DeskSession = sees_audit) -> Mapping[str, Any]:
        """Compute every hash anew, and name the first entry that is not what was written."""
        verified = audit.verify(runtime.engine, entries_max=VERIFIED_ENTRIES_MAX)
        if verified is None:
            words = f"it has more than {VERIFIED_ENTRIES_MAX} entries: use the command verify-audit"
            raise Problem(HTTPStatus.CONFLICT, "log_too_long", words)
        return {
            "is_intact": verified.fault is None,
            "entries": verified.entry_count,
            "hash": verified.entry_hash.hex(),
            "first_fault": verified.fault and {"number": verified.fault.number, "what": verified.fault.what},
        }

    return router


def _view(entry: AuditEntry) -> Mapping[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "actor": entry.actor,
        "role": entry.role,
        "verb": entry.verb,
        "object_kind": entry.object_kind,
        "object_id": entry.object_id,
        "details": entry.details,
        "hash": entry.hash.hex(),
    }
