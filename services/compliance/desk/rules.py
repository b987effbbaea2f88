"""Monitoring's rules at the desk: what scenarios look for, and who is left alone by which of them; seen and changed.

The same commands as over HTTP and on the command line, in the name of who is signed in.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.database import transaction
from libs.common.fields import Id
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import monitoring_queries
from services.compliance.desk import guard, render, views
from services.compliance.desk.alerts import alert_views
from services.compliance.desk.lists import ChangeVerb
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.desk.submitting import Failure, Submission, attempted, submit
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.people import Permission
from services.compliance.domain.rule_change import ChangeKind, ChangeRefusal
from services.compliance.domain.silencing import (
    ConfirmParameters,
    EndSilence,
    RefusalReason,
    RuleCommand,
    SetParameters,
    SilenceScenario,
    TurnDownParameters,
)
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import SilenceKind
from services.compliance.monitoring.parameters import ParametersFault, Scenario, values_of
from services.compliance.monitoring.standards import Standards
from services.compliance.settings import ComplianceSettings
from services.compliance.standards import live_standards
from services.compliance.store import rule_changes

SILENCES_SHOWN_MAX = 500
SILENT_ALERTS_SHOWN_MAX = 50
SHARE_OF = timedelta(days=90)
REASON_LENGTH_MAX = 500
_PREFIX = "p_"
"""Of the fields of a form that are parameters."""

ADOPTED: Literal["adopted"] = "adopted"
"""What came from outside the desk is somebody's there."""
_DECIDED: Mapping[str, str] = {
    ChangeVerb.CONFIRM: "The new parameters are on record.",
    ChangeVerb.TURN_DOWN: "Nothing changes.",
    ADOPTED: "These parameters are proposed in your name now: another person confirms them.",
}

_SILENCE_DONE = {"begun": "The customer is left alone by it until then.", "ended": "Alerts are seen again."}

Reason = Annotated[str, Form(max_length=REASON_LENGTH_MAX)]
Token = Annotated[str, Form()]
Key = Annotated[str, Form(max_length=100)]

_STATUS = {
    RefusalReason.CUSTOMER_UNKNOWN.value: HTTPStatus.NOT_FOUND,
    RefusalReason.NOT_SILENT.value: HTTPStatus.CONFLICT,
    RefusalReason.ALREADY_DECIDED.value: HTTPStatus.CONFLICT,
    **dict.fromkeys(map(str, ChangeRefusal), HTTPStatus.CONFLICT),
    ChangeRefusal.CHANGE_UNKNOWN.value: HTTPStatus.NOT_FOUND,
}


class Rules:
    """Carries out what people want of monitoring. Raises Problem, and as the edge."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        assert isinstance(runtime.settings, ComplianceSettings)
        self._live = live_standards(runtime.settings)

    def standards(self) -> Standards:
        with transaction(self._runtime.engine) as tx:
            return self._live.current(tx)

    async def change(
        self, request: Request, command: RuleCommand, kind: ObjectKind, object_id: str, *, by: DeskSession, key: str
    ) -> Failure | None:
        """Have it done; None if it was."""
        submission = Submission(
            route=f"rules/{type(command).__name__}",
            command=command,
            body=msgspec.json.encode(command),
            done=lambda _: {},
            problem=_problem,
            kind=kind,
            object_id=object_id,
            asked=f"{type(command).__name__}: ",
        )
        trace = request.state.trace
        return await attempted(submit(self._runtime, submission, by=by, key=key or ids.new(), trace=trace))


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(str(refusal.reason), HTTPStatus.UNPROCESSABLE_ENTITY)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/scenarios and /desk/silences."""
    rules = Rules(runtime)
    return [_scenarios(runtime, sessions, rules), _silences(runtime, sessions, rules)]


def _scenarios(runtime: Runtime, sessions: DeskSessions, rules: Rules) -> APIRouter:
    router = APIRouter(prefix=f"{guard.PATH}/scenarios", route_class=guard.PageRoute, include_in_schema=False)

    def shown(
        person: DeskSession, *, status: HTTPStatus = HTTPStatus.OK, notice: str = "", fault: str = ""
    ) -> Response:
        now, standards = datetime.now(UTC), rules.standards()
        shares = monitoring_queries.count_shares(runtime.engine, now - SHARE_OF)
        return render.page(
            "scenarios.html",
            status=status,
            person=person,
            scenarios=[
                (scenario, standards.to_come(scenario, now), shares.get(scenario, monitoring_queries.Share()))
                for scenario in Scenario
            ],
            changes=rule_changes.list_waiting(runtime.engine, {ChangeKind.SET_PARAMETERS}),
            in_force={
                scenario.value: values_of(standards.to_come(scenario, now)[-1].parameters) for scenario in Scenario
            },
            values_of=values_of,
            in_words=views.reason_in_words,
            share_days=SHARE_OF.days,
            now=now,
            request_id=ids.new(),
            prefix=_PREFIX,
            notice=notice,
            fault=fault,
        )

    @router.get("")
    def show(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.SCENARIOS),
        done: Annotated[Scenario | ChangeVerb | Literal["adopted"] | None, Query()] = None,
    ) -> Response:
        """What each scenario looks for, now and later, and what it has raised."""
        if isinstance(done, Scenario):
            notice = f"{views.reason_in_words(done)}: the new parameters wait for another person to confirm them."
        else:
            notice = _DECIDED[done] if done is not None else ""
        return shown(person, notice=notice)

    @router.post("/{scenario}")
    async def set_parameters(
        request: Request,
        scenario: Scenario,
        person: DeskSession = guard.allow(sessions, Permission.SET_PARAMETERS),
        reason: Reason = "",
        effective_from: Annotated[str, Form(max_length=40)] = "",
        csrf_token: Token = "",
        request_id: Key = "",
    ) -> Response:
        """Propose that a scenario looks for something else from a moment on."""
        guard.require_csrf_token(person, csrf_token)
        given = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        failure: Failure | None
        try:
            command = SetParameters(
                scenario=scenario,
                parameters=parameters.read(scenario, _values(given)),
                effective_from=_moment(effective_from),
                by=person.username,
                role=person.role.value,
                reason=reason,
            )
        except (ParametersFault, Problem) as fault:
            failure = Failure(status=HTTPStatus.UNPROCESSABLE_ENTITY, detail=str(getattr(fault, "detail", fault)))
        else:
            failure = await rules.change(
                request, command, ObjectKind.SCENARIO, scenario.value, by=person, key=request_id
            )
        if failure is None:
            return RedirectResponse(f"{guard.PATH}/scenarios?done={scenario}", HTTPStatus.SEE_OTHER)
        return await run_in_threadpool(shown, person, status=failure.status, fault=failure.detail)

    def add(verb: ChangeVerb) -> None:
        @router.post(f"/rule-changes/{{change_id}}/{verb}")
        async def decide(
            request: Request,
            change_id: Id,
            person: DeskSession = guard.allow(sessions, Permission.SET_PARAMETERS),
            csrf_token: Token = "",
            request_id: Key = "",
        ) -> Response:
            """Confirm what another has proposed, or turn it down."""
            guard.require_csrf_token(person, csrf_token)
            kind = ConfirmParameters if verb is ChangeVerb.CONFIRM else TurnDownParameters
            command = kind(change_id=change_id, by=person.username, role=person.role.value, reason="")
            failure = await rules.change(request, command, ObjectKind.SCENARIO, change_id, by=person, key=request_id)
            if failure is None:
                done = await run_in_threadpool(_done, runtime, verb, change_id)
                return RedirectResponse(f"{guard.PATH}/scenarios?done={done}", HTTPStatus.SEE_OTHER)
            return await run_in_threadpool(shown, person, status=failure.status, fault=failure.detail)

    for verb in ChangeVerb:
        add(verb)
    return router


def _done(runtime: Runtime, verb: ChangeVerb, change_id: str) -> str:
    waiting = rule_changes.list_waiting(runtime.engine, {ChangeKind.SET_PARAMETERS})
    return ADOPTED if any(change.change_id == change_id for change in waiting) else verb.value


def _values(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters as a form has them: numbers, words, and boxes that are ticked."""
    found: dict[str, Any] = {"is_on": False}
    for name, value in given.items():
        if name.startswith(_PREFIX):
            text = value.strip().replace("_", "").replace(",", "")
            is_number = text.isascii() and text.isdigit() and len(text) < 20
            found[name[len(_PREFIX) :]] = int(text) if is_number else True if value == "true" else value.strip()
    return found


def _moment(text: str) -> datetime | None:
    """A moment as a form gives it, of UTC; None for none. Raises Problem for anything else."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not_a_time", "say a day and a time", field="until") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _silences(runtime: Runtime, sessions: DeskSessions, rules: Rules) -> APIRouter:
    router = APIRouter(prefix=f"{guard.PATH}/silences", route_class=guard.PageRoute, include_in_schema=False)
    silences = guard.allow(sessions, Permission.SILENCE)

    def shown(
        person: DeskSession,
        *,
        customer_id: str = "",
        silent: monitoring_queries.ReadableAlerts | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        notice: str = "",
        fault: str = "",
    ) -> Response:
        now = datetime.now(UTC)
        return render.page(
            "silences.html",
            status=status,
            person=person,
            silences=monitoring_queries.list_standing_silences(runtime.engine, now, limit=SILENCES_SHOWN_MAX),
            past=monitoring_queries.list_silences(runtime.engine, customer_id, limit=100) if customer_id else [],
            silent=alert_views(silent, views.reason_in_words) if silent is not None else None,
            silent_max=SILENT_ALERTS_SHOWN_MAX,
            customer_id=customer_id,
            scenarios=list(Scenario),
            kinds=list(SilenceKind),
            in_words=views.reason_in_words,
            shown_max=SILENCES_SHOWN_MAX,
            request_id=ids.new(),
            reason_length_max=REASON_LENGTH_MAX,
            notice=notice,
            fault=fault,
        )

    async def answered(person: DeskSession, customer_id: str, failure: Failure | None, done: str) -> Response:
        if failure is None:
            return RedirectResponse(f"{guard.PATH}/silences?done={done}", HTTPStatus.SEE_OTHER)
        return await run_in_threadpool(
            shown, person, customer_id=customer_id, status=failure.status, fault=failure.detail
        )

    @router.get("")
    def show(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.SILENCES),
        customer_id: Annotated[str, Query(max_length=36)] = "",
        done: Annotated[str, Query(pattern="^(begun|ended)?$")] = "",
    ) -> Response:
        """Who is left alone by what, why, and until when; of one customer also what that keeps silent."""
        notice = _SILENCE_DONE.get(done, "")
        if not ids.is_id(customer_id):
            return shown(person, notice=notice)
        silent = monitoring_queries.find_silent_alerts(runtime.engine, customer_id, limit=SILENT_ALERTS_SHOWN_MAX + 1)
        return shown(person, customer_id=customer_id, silent=silent, notice=notice)

    @router.post("")
    async def silence(
        request: Request,
        customer_id: Annotated[Id, Form()],
        scenario: Annotated[Scenario, Form()],
        kind: Annotated[SilenceKind, Form()],
        person: DeskSession = silences,
        until: Annotated[str, Form(max_length=40)] = "",
        reason: Reason = "",
        csrf_token: Token = "",
        request_id: Key = "",
    ) -> Response:
        """Leave a customer alone by a scenario until a time."""
        guard.require_csrf_token(person, csrf_token)
        try:
            command = SilenceScenario(
                customer_id=customer_id,
                scenario=scenario,
                kind=kind,
                until=_moment(until) or datetime.now(UTC),
                by=person.username,
                role=person.role.value,
                reason=reason,
            )
        except Problem as problem:
            return await answered(person, customer_id, Failure(status=problem.status, detail=str(problem.detail)), "")
        failure = await rules.change(request, command, ObjectKind.SILENCE, customer_id, by=person, key=request_id)
        return await answered(person, customer_id, failure, "begun")

    @router.post("/end")
    async def end(
        request: Request,
        customer_id: Annotated[Id, Form()],
        scenario: Annotated[Scenario, Form()],
        person: DeskSession = silences,
        reason: Reason = "",
        csrf_token: Token = "",
        request_id: Key = "",
    ) -> Response:
        """Leave a customer alone no more."""
        guard.require_csrf_token(person, csrf_token)
        command = EndSilence(
            customer_id=customer_id, scenario=scenario, by=person.username, role=person.role.value, reason=reason
        )
        failure = await rules.change(request, command, ObjectKind.SILENCE, customer_id, by=person, key=request_id)
        return await answered(person, customer_id, failure, "ended")

    return router
