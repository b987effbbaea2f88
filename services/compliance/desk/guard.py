"""What stands between a browser and the desk: cookies, CSRF tokens, and headers that say what a page may do."""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote_plus, unquote_plus

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from libs.common import edge
from libs.common.card_numbers import has_card_number, without_card_numbers
from libs.common.errors import Outage
from libs.common.openapi import changing
from libs.common.problems import Problem
from services.compliance.desk import render
from services.compliance.desk.sessions import DeskSession, DeskSessions, is_csrf_token
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.people import Permission

SESSION_COOKIE = "weir_desk"
FORM_COOKIE = "weir_desk_form"
PATH = "/desk"
SIGN_IN_PATH = f"{PATH}/sign-in"
CSRF_HEADER = "x-csrf-token"
LIVE_HEADER = "x-live"
"""With what a page asks for by itself: nobody has done anything."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}

_PAGE_OF_OURS = re.compile(r"/desk(?:/[a-z0-9-]+)*")

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class SignInNeeded(Exception):
    """Nobody is signed in, or not any more."""


class NotForRole(Problem):
    """Somebody asks for what their role may not do."""

    def __init__(self, session: DeskSession) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, "forbidden", f"This is not for the role of {session.role.value}.")
        self.home = session.home


class Everybody:
    """Declared at a route: nobody has to be signed in for it."""

    def __call__(self) -> None: ...


class Allowed:
    """Declared at a route: who may ask for it. Called with a request, it finds out who does."""

    def __init__(self, sessions: DeskSessions, permission: Permission, look: ObjectKind | None) -> None:
        self._sessions = sessions
        self.permission = permission
        self.look = look
        """What is looked at, and so put into the audit log before it is shown; None where nothing is shown."""

    def __call__(self, request: Request) -> DeskSession:
        """The person who is signed in. Raises SignInNeeded, and Problem if their role may not do this."""
        token = request.cookies.get(SESSION_COOKIE)
        is_persons_doing = LIVE_HEADER not in request.headers
        session = self._sessions.find(token, is_persons_doing=is_persons_doing) if token else None
        if session is None:
            raise SignInNeeded
        if not session.may(self.permission):
            refused = f"{request.method} {without_card_numbers(request.url.path)}"
            self._sessions.put_down(session.happening(AuditVerb.REFUSED, ObjectKind.DESK, details=refused))
            raise NotForRole(session)
        if self.look is not None:
            object_id = without_card_numbers(next(iter(request.path_params.values()), ""))
            asked = _kept_of(request.url.query)
            self._sessions.put_down(session.happening(AuditVerb.LOOKED, self.look, object_id, asked))
        return session


def _kept_of(query: str) -> str:
    """What was asked for, as the log may keep it for ever."""
    plain = unquote_plus(query)
    return quote_plus(without_card_numbers(plain), safe="=&*") if has_card_number(plain) else query


def allow(sessions: DeskSessions, permission: Permission, look: ObjectKind | None = None) -> Any:
    """A dependency, as a parameter's default: the person who is signed in, whose role may do this.

    `look` says what a route shows: that is in the audit log before anybody sees it.
    """
    return Depends(Allowed(sessions, permission, look))


def declared(route: APIRoute) -> Allowed | Everybody | None:
    """Who may ask for a route, as it says itself; None if it doesn't."""
    calls = (dependency.call for dependency in route.dependant.dependencies)
    return next((call for call in calls if isinstance(call, Allowed | Everybody)), None)


class Undeclared(Exception):
    """A route of the desk does not say who may ask for it, and so is not there."""


class DeskRoute(APIRoute):
    """A route of the desk. Raises Undeclared, when it is made, unless it says who may ask for it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if declared(self) is None:
            raise Undeclared(self.path)


class ProgramRoute(DeskRoute):
    """A route of the desk for programs: problems as everywhere, and the desk's headers."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return with_headers(await handle(request))
            except SignInNeeded:
                problem = Problem(HTTPStatus.UNAUTHORIZED, "not_signed_in", f"sign in first: POST {SIGN_IN_PATH}")
                return with_headers(problem.response)

        return guarded


class PageRoute(DeskRoute):
    """A page: who isn't signed in is led to where they can, and what goes wrong is told in a page too."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            return with_headers(await _as_page(request, handle))

        return guarded


def programs(path: str) -> APIRouter:
    """A router for programs, whose routes tell of the problems that any of the desk's may have."""
    return APIRouter(prefix=path, route_class=ProgramRoute, tags=["desk"], responses=changing(HTTPStatus.NOT_FOUND))


async def _as_page(request: Request, handle: RouteHandler) -> Response:
    try:
        return await handle(request)
    except SignInNeeded:
        back = f"?next={request.url.path}" if request.method == "GET" and is_page_of_ours(request.url.path) else ""
        return RedirectResponse(SIGN_IN_PATH + back, HTTPStatus.SEE_OTHER)
    except NotForRole as refused:
        return render.error_page(refused.status, refused.detail, home=refused.home)
    except Problem as problem:
        return render.error_page(problem.status, problem.detail)
    except RequestValidationError as error:
        return render.error_page(HTTPStatus.BAD_REQUEST, f"{error.errors()[0]['loc'][-1]}: {error.errors()[0]['msg']}")
    except (Outage, edge.Busy):
        detail = "Something the desk needs is away. Look at the case again in a moment, and whether this was done."
        return render.error_page(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    except (edge.KeyInUse, edge.KeyReused):
        return render.error_page(HTTPStatus.CONFLICT, "This form has been sent before. Look at the case again.")
    except edge.Failed:
        return render.error_page(HTTPStatus.INTERNAL_SERVER_ERROR, "That failed, and nothing was changed.")


def is_page_of_ours(path: str) -> bool:
    """Whether a path leads to a page of the desk, and nowhere else."""
    return _PAGE_OF_OURS.fullmatch(path) is not None


def with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def require_csrf_token(session: DeskSession, given: str | None) -> None:
    """Raises Problem unless what was sent comes from a page or program that this person's session was shown to."""
    if given is None or not is_csrf_token(given, session.token):
        raise csrf_problem()


def csrf_problem() -> Problem:
    return Problem(
        HTTPStatus.FORBIDDEN, "csrf_token_wrong", "This did not come from a page of the desk. Reload it and try again."
    )


def set_session_cookie(request: Request, response: Response, session: DeskSession, seconds: int) -> None:
    set_cookie(request, response, SESSION_COOKIE, session.token, seconds)


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    seconds: int,
    *,
    samesite: Literal["strict", "lax"] = "strict",
) -> None:
    """A cookie that no script reads and no other site sends; only over TLS where there is TLS.

    A `lax` one comes along where another site leads here by a link.
    """
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite=samesite,
    )


def delete_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path=PATH, httponly=True, samesite="strict")
