"""Roles: what each may do, and that every route of the desk says who may ask for it."""

import inspect
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute, iter_route_contexts

from libs.common.service import Role as ProcessRole
from libs.common.service import Runtime
from services.compliance import looks
from services.compliance.__main__ import SERVICE
from services.compliance.desk import guard
from services.compliance.domain.people import PERMISSIONS, Permission, Role, is_username, may
from tests.unit.compliance.office import SETTINGS

SUPERVISORS = {Role.SUPERVISOR, Role.OFFICER}
WORKERS = {Role.ANALYST, *SUPERVISORS}
READERS = {*WORKERS, Role.AUDITOR}
OFFICERS = {Role.OFFICER}
FILING_READERS = {*OFFICERS, Role.AUDITOR}
EVERYBODY_SIGNED_IN = set(Role)

WHO = {
    "GET /desk": READERS,
    "GET /desk/cases/{case_id}": READERS,
    "GET /desk/blocked": READERS,
    "GET /desk/search": READERS,
    "POST /desk/next": WORKERS,
    "GET /desk/api/search": READERS,
    "GET /desk/api/counts": READERS,
    "POST /desk/api/next": WORKERS,
    "GET /desk/users": {Role.AUDITOR, Role.ADMINISTRATOR},
    "GET /desk/api/cases": READERS,
    "GET /desk/api/cases/{case_id}": READERS,
    "GET /desk/api/session": EVERYBODY_SIGNED_IN,
    "GET /desk/audit": {Role.OFFICER, Role.AUDITOR},
    "GET /desk/api/audit": {Role.OFFICER, Role.AUDITOR},
    "GET /desk/api/audit/verification": {Role.OFFICER, Role.AUDITOR},
    "GET /desk/api/users": {Role.AUDITOR, Role.ADMINISTRATOR},
    **{
        f"POST /desk{api}/cases/{{case_id}}/{verb}": WORKERS
        for verb in (
            *(
                "take",
                "take-over",
                "release",
                "propose",
                "note",
                "add-task",
                "finish-task",
                "link-payment",
                "unlink-payment",
                "snooze",
                "escalate",
            ),
        )
        for api in ("", "/api")
    },
    **{
        f"POST /desk{api}/cases/{{case_id}}/{verb}": SUPERVISORS
        for verb in ("confirm", "return", "assign", "reopen")
        for api in ("", "/api")
    },
    "POST /desk/cases/{case_id}/party-data": WORKERS,
    "POST /desk/api/cases/{case_id}/party-data": WORKERS,
    "GET /desk/customers/{customer_id}": READERS,
    "GET /desk/api/customers/{customer_id}": READERS,
    "POST /desk/customers/{customer_id}/documents": WORKERS,
    "POST /desk/api/customers/{customer_id}/documents": WORKERS,
    "GET /desk/alike/{case_id}": READERS,
    "GET /desk/cases/{case_id}/files/{number}": READERS,
    "GET /desk/api/cases/{case_id}/files/{number}": READERS,
    "POST /desk/files": WORKERS,
    "POST /desk/api/files": WORKERS,
    **{f"GET /desk{api}/whitelist": READERS for api in ("", "/api")},
    **{f"POST /desk{api}/whitelist": WORKERS for api in ("", "/api")},
    **{
        f"POST /desk{api}/whitelist/{{pair_id}}/{verb}": SUPERVISORS
        for verb in ("confirm", "end", "keep")
        for api in ("", "/api")
    },
    **{
        f"POST /desk{api}/whitelist/rule-changes/{{change_id}}/{verb}": SUPERVISORS
        for verb in ("confirm", "turn-down")
        for api in ("", "/api")
    },
    **{f"GET /desk{api}/whitelist/rule-changes/{{change_id}}/pairs": READERS for api in ("", "/api")},
    "GET /desk/api/whitelist/rule-changes": READERS,
    **{f"POST /desk{api}/whitelist/imports": SUPERVISORS for api in ("", "/api")},
    **{f"GET /desk{api}/lists{of}": EVERYBODY_SIGNED_IN for of in ("", "/changes") for api in ("", "/api")},
    **{
        f"POST /desk{api}/lists{verb}": {Role.ADMINISTRATOR}
        for verb in (
            *("/imports", "/rescreen", "/{name}/retire"),
            *("/rule-changes/{change_id}/confirm", "/rule-changes/{change_id}/turn-down"),
        )
        for api in ("", "/api")
    },
    **{f"GET /desk{api}/overview": {*SUPERVISORS, Role.AUDITOR} for api in ("", "/api")},
    "GET /desk/cases/{case_id}/export": {*SUPERVISORS, Role.AUDITOR},
    "GET /desk/api/pulse": READERS,
    "GET /desk/scenarios": READERS,
    "POST /desk/scenarios/{scenario}": OFFICERS,
    **{f"POST /desk/scenarios/rule-changes/{{change_id}}/{verb}": OFFICERS for verb in ("confirm", "turn-down")},
    "GET /desk/api/lists/rule-changes": EVERYBODY_SIGNED_IN,
    "GET /desk/silences": READERS,
    "POST /desk/silences": SUPERVISORS,
    "POST /desk/silences/end": SUPERVISORS,
    "POST /desk/alike/{case_id}/propose": WORKERS,
    "POST /desk/alike/{case_id}/confirm": SUPERVISORS,
    "POST /desk/api/alike/propose": WORKERS,
    "POST /desk/api/alike/confirm": SUPERVISORS,
    "GET /desk/filings": FILING_READERS,
    "GET /desk/filings/{filing_id}": FILING_READERS,
    "GET /desk/filings/{filing_id}/file": FILING_READERS,
    "GET /desk/api/filings": FILING_READERS,
    "GET /desk/api/filings/{filing_id}": FILING_READERS,
    "GET /desk/filings/new": OFFICERS,
    "GET /desk/filings/{filing_id}/edit": OFFICERS,
    "POST /desk/filings/new": OFFICERS,
    "GET /desk/property-reports/new": OFFICERS,
    "POST /desk/property-reports/new": OFFICERS,
    "GET /desk/property-reports/{filing_id}/edit": OFFICERS,
    "POST /desk/property-reports/{filing_id}/edit": OFFICERS,
    "POST /desk/api/property-reports": OFFICERS,
    "POST /desk/api/property-reports/{filing_id}/revise": OFFICERS,
    "POST /desk/filings/{filing_id}/edit": OFFICERS,
    "POST /desk/api/filings": OFFICERS,
    "GET /desk/api/property-reports": FILING_READERS,
    "POST /desk/api/filings/{filing_id}/revise": OFFICERS,
    "POST /desk/api/filings/{filing_id}/{verb}": OFFICERS,
    **{f"POST /desk/filings/{{filing_id}}/{verb}": OFFICERS for verb in ("approve", "filed", "review", "withdraw")},
    **{
        f"POST /desk{api}/users{verb}": {Role.ADMINISTRATOR}
        for verb in ("", "/{username}/role", "/{username}/disable", "/{username}/readmit")
        for api in ("", "/api")
    },
}
"""Who may ask for what, written down a second time: whoever adds a route says so here too."""
OPEN = {"GET /desk/sign-in", "POST /desk/sign-in", "POST /desk/sign-out", "GET /desk/static/{name}"}


SHOWS_NOTHING = {"/desk/api/session", "/desk/api/pulse"}
"""Who somebody is, and whether something has changed: no look at anything."""
SHOWS_BY_POST = {"/v1/screenings", "/desk/whitelist/imports"}
"""A name in a query would be in logs; and who sends a file from one queue is answered with another."""


def nothing() -> None: ...


def routes(path: str = guard.PATH) -> Iterator[APIRoute]:
    """Every route of the application that begins so."""
    app = Runtime(SERVICE, SETTINGS).app([ProcessRole.API], dict)
    for found in iter_route_contexts(app.routes):
        route = found.original_route
        if isinstance(route, APIRoute) and route.path.startswith(path):
            yield route


def table() -> dict[str, set[Role]]:
    """The roles that each route lets in, as it declares itself."""
    found = {}
    for route in routes():
        access = guard.declared(route)
        assert access is not None, f"{route.path} does not say who may ask for it"
        (method,) = sorted(route.methods or set())
        if isinstance(access, guard.Allowed):
            found[f"{method} {route.path}"] = {role for role in Role if may(role, access.permission)}
        else:
            assert f"{method} {route.path}" in OPEN
    return found


def test_every_route_of_the_desk_lets_in_whom_it_should() -> None:
    assert table() == WHO


def test_whatever_a_route_shows_is_a_look_in_the_audit_log() -> None:
    for route in routes():
        access = guard.declared(route)
        if isinstance(access, guard.Allowed) and route.path not in SHOWS_NOTHING:
            shows = "GET" in (route.methods or ()) or route.path in SHOWS_BY_POST
            assert (access.look is not None) is shows, f"{route.path} shows something, and nobody would know who looked"


def test_whatever_a_route_shows_a_program_is_a_look_in_the_audit_log_too() -> None:
    found = list(routes("/v1"))
    assert found
    for route in found:
        shows = "GET" in (route.methods or ()) or route.path in SHOWS_BY_POST
        assert (looks.declared(route.endpoint) is not None) is shows, f"{route.path}: nobody would know who looked"
        assert "who" in inspect.signature(route.endpoint).parameters or not shows


def test_a_route_that_does_not_say_who_may_ask_for_it_is_not_made() -> None:
    for kind in (guard.PageRoute, guard.ProgramRoute):
        router = APIRouter(prefix=guard.PATH, route_class=kind)
        with pytest.raises(guard.Undeclared):
            router.add_api_route("/secrets", nothing)
        router.add_api_route("/secrets", nothing, dependencies=[Depends(guard.Everybody())])


def test_an_auditor_and_an_administrator_decide_nothing() -> None:
    deciding = {Permission.WORK_CASES, Permission.CONFIRM, Permission.ASSIGN, Permission.REOPEN}
    for role in (Role.AUDITOR, Role.ADMINISTRATOR):
        assert not PERMISSIONS[role] & deciding
    assert not any(word in permission for permission in PERMISSIONS[Role.AUDITOR] for word in ("manage", "work"))


def test_filings_are_seen_by_named_roles_only() -> None:
    assert {role for role in Role if may(role, Permission.SEE_FILINGS)} == {Role.OFFICER, Role.AUDITOR}


@pytest.mark.parametrize(("name", "is_fine"), [("ann", True), ("Ann", False), ("a", False), ("weir", False)])
def test_nobody_is_called_as_the_service_signs(name: str, is_fine: bool) -> None:
    assert is_username(name) is is_fine
