"""Signing in and out, for people by a form and for programs by JSON."""

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from libs.common.fields import Body
from libs.common.problems import Problem
from services.compliance.desk import guard, render
from services.compliance.desk.oidc import FLOW_SECONDS, OidcFault, Provider, ProviderFault, flow_of
from services.compliance.desk.passwords import LENGTH_MAX
from services.compliance.desk.render import plain
from services.compliance.desk.sessions import (
    FAILURES_MINUTES,
    DeskSession,
    DeskSessions,
    SignInRefusal,
    csrf_token_of,
    is_csrf_token,
    new_form_token,
)
from services.compliance.domain.people import is_username
from services.compliance.settings import ComplianceSettings

log = logging.getLogger(__name__)

FORM_SECONDS = 3_600
FLOW_COOKIE = "weir_desk_flow"

Form = Callable[..., Response]
"""Shows the form: see `_form`."""

_IN_WORDS = {
    SignInRefusal.WRONG_PASSWORD: "The user name or the password is wrong.",
    SignInRefusal.TOO_MANY_FAILURES: f"Too many failed attempts. Wait {FAILURES_MINUTES} minutes.",
}
_STATUS = {
    SignInRefusal.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
    SignInRefusal.TOO_MANY_FAILURES: HTTPStatus.TOO_MANY_REQUESTS,
}


class Credentials(Body):
    """Who someone says they are."""

    username: str
    password: str


def routes(sessions: DeskSessions, settings: ComplianceSettings) -> APIRouter:
    """/desk/sign-in and /desk/sign-out."""
    router = APIRouter(prefix=guard.PATH, route_class=guard.PageRoute, include_in_schema=False)
    everybody = [Depends(guard.Everybody())]
    provider = Provider(settings) if settings.desk_oidc_issuer else None
    form = partial(_form, has_provider=provider is not None)
    if provider is not None:
        _add_provider(router, sessions, provider, form)

    @router.get("/sign-in", dependencies=everybody)
    def show_form(request: Request, next: Annotated[str, Query()] = "") -> Response:
        """The form."""
        return form(request, next, status=HTTPStatus.OK)

    @router.post("/sign-in", dependencies=everybody)
    async def sign_in(request: Request) -> Response:
        """Let someone in: a form leads to the queue, JSON is answered with the token that every change needs."""
        is_program = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        if is_program:
            return await _sign_in_program(sessions, request)
        return await _sign_in_person(sessions, request, form)

    @router.post("/sign-out", dependencies=everybody)
    async def sign_out(request: Request) -> Response:
        """End the session."""
        form = await request.form()
        token = request.cookies.get(guard.SESSION_COOKIE)
        given = form.get("csrf_token") or request.headers.get(guard.CSRF_HEADER)
        if not token or not isinstance(given, str) or not is_csrf_token(given, token):
            raise guard.csrf_problem()
        await run_in_threadpool(sessions.sign_out, token)
        response = RedirectResponse(guard.SIGN_IN_PATH, HTTPStatus.SEE_OTHER)
        guard.delete_cookie(response, guard.SESSION_COOKIE)
        return response

    return router


def _add_provider(router: APIRouter, sessions: DeskSessions, provider: Provider, form: Form) -> None:
    everybody = [Depends(guard.Everybody())]

    def told(request: Request, fault: OidcFault) -> Response:
        if isinstance(fault, ProviderFault):
            log.warning("nobody signs in by the provider: %s", fault)
        return form(request, "", status=HTTPStatus.FORBIDDEN, fault=f"You were not let in: {fault}.")

    @router.get("/sign-in/oidc", dependencies=everybody)
    def begin(request: Request, next: Annotated[str, Query(max_length=500)] = "") -> Response:
        """Send somebody to the provider."""
        try:
            address, flow = provider.begin(_callback(request), next)
        except OidcFault as fault:
            return told(request, fault)
        response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
        guard.set_cookie(request, response, FLOW_COOKIE, flow.as_cookie(), FLOW_SECONDS, samesite="lax")
        return response

    @router.get("/sign-in/oidc/callback", dependencies=everybody)
    def finish(
        request: Request,
        state: Annotated[str, Query(max_length=200)] = "",
        code: Annotated[str, Query(max_length=4_000)] = "",
        error: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        """Let somebody in who comes back from the provider."""
        address = _address(request)
        try:
            flow = flow_of(request.cookies.get(FLOW_COOKIE))
        except OidcFault as fault:
            # Nobody whom the desk has sent there: whoever comes by is not put down.
            return told(request, fault)
        if not sessions.may_be_vouched(address):
            refusal = SignInRefusal.TOO_MANY_FAILURES
            return form(request, "", status=_STATUS[refusal], fault=_IN_WORDS[refusal])
        try:
            if error:
                raise OidcFault(f"the provider says {plain(error)}")
            person = provider.finish(_callback(request), flow, state=state, code=code)
            session = sessions.sign_in_vouched(person, address)
        except OidcFault as fault:
            if not isinstance(fault, ProviderFault):
                sessions.not_vouched(address, str(fault))
            response = told(request, fault)
        else:
            # Led on by a page of ours, for a browser that comes from elsewhere does not show strict cookies.
            response = render.page("signed_in.html", person=None, goes_to=_way(flow.goes_to, session))
            guard.set_session_cookie(request, response, session, sessions.lifetime_seconds)
        guard.delete_cookie(response, FLOW_COOKIE)
        return response


def _callback(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{guard.SIGN_IN_PATH}/oidc/callback"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _way(goes_to: str, session: DeskSession) -> str:
    """Where somebody goes on. Who was on the way to the desk itself goes to where their own day begins."""
    return goes_to if guard.is_page_of_ours(goes_to) and goes_to != guard.PATH else session.home


async def _sign_in_person(sessions: DeskSessions, request: Request, show: Form) -> Response:
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    form_token = request.cookies.get(guard.FORM_COOKIE)
    goes_to = form.get("next", "")
    if not form_token or not is_csrf_token(form.get("csrf_token", ""), form_token):
        return show(request, goes_to, status=HTTPStatus.FORBIDDEN, fault="The form was out of date. Try again.")
    result = await _try(sessions, request, form.get("username", ""), form.get("password", ""))
    if isinstance(result, SignInRefusal):
        return show(
            request, goes_to, status=_STATUS[result], fault=_IN_WORDS[result], username=form.get("username", "")
        )
    response = RedirectResponse(_way(goes_to, result), HTTPStatus.SEE_OTHER)
    guard.delete_cookie(response, guard.FORM_COOKIE)
    guard.set_session_cookie(request, response, result, sessions.lifetime_seconds)
    return response


async def _sign_in_program(sessions: DeskSessions, request: Request) -> Response:
    # Other sites can't send JSON without asking first, and are never told that they may.
    try:
        credentials = Credentials.model_validate_json(await request.body())
    except ValidationError:
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "send username and password")
    result = await _try(sessions, request, credentials.username, credentials.password)
    if isinstance(result, SignInRefusal):
        return _problem(_STATUS[result], result.value, _IN_WORDS[result])
    body: dict[str, Any] = {"username": result.username, "role": result.role, "csrf_token": result.csrf_token}
    response = JSONResponse(body)
    guard.set_session_cookie(request, response, result, sessions.lifetime_seconds)
    return response


async def _try(sessions: DeskSessions, request: Request, username: str, password: str) -> DeskSession | SignInRefusal:
    username = username.strip().lower()
    if not is_username(username) or len(password) > LENGTH_MAX:
        return SignInRefusal.WRONG_PASSWORD
    return await run_in_threadpool(sessions.sign_in, username, password, _address(request))


def _form(
    request: Request,
    goes_to: str,
    *,
    status: HTTPStatus,
    fault: str | None = None,
    username: str = "",
    has_provider: bool = False,
) -> Response:
    form_token = request.cookies.get(guard.FORM_COOKIE) or new_form_token()
    response = render.page(
        "sign_in.html",
        status=status,
        person=None,
        csrf_token=csrf_token_of(form_token),
        next=goes_to if guard.is_page_of_ours(goes_to) else "",
        fault=fault,
        username=username,
        has_provider=has_provider,
    )
    guard.set_cookie(request, response, guard.FORM_COOKIE, form_token, FORM_SECONDS)
    return response


def _problem(status: HTTPStatus, reason: str, detail: str) -> Response:
    return Problem(status, reason, detail).response
