"""The HTTP API of monitoring, for staff: what was raised, who is left alone by what, and what scenarios look for."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from libs.common.answers import CREATED, OK, PAGE_LENGTH_MAX, answer_one
from libs.common.change import Asked
from libs.common.database import transaction
from libs.common.edge import Respond
from libs.common.fields import Body, Filters, Id, Instant, text
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import looks, queries
from services.compliance import monitoring_queries as asked_of
from services.compliance.domain.audit import CLIENT, ObjectKind
from services.compliance.domain.silencing import EndSilence, RefusalReason, SetParameters, SilenceScenario
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import AlertState, SilenceKind
from services.compliance.monitoring.parameters import ParametersFault, Scenario
from services.compliance.monitoring_views import (
    AlertPage,
    ChangeView,
    CustomerSilenceView,
    ScenariosView,
    SilencesView,
)
from services.compliance.settings import ComplianceSettings
from services.compliance.standards import live_standards

Reason = Annotated[str, text(500), Field(examples=["the till of the branch in Main Street"])]


def _a_cursor(value: str) -> str:
    if queries.parse_moment_cursor(value) is None:
        raise PydanticCustomError("not_a_cursor", "must be the `next_cursor` of a page")
    return value


class AlertFilters(Filters):
    """Which alerts."""

    scenario: Scenario | None = None
    customer_id: Id | None = None
    state: AlertState | None = None
    cursor: Annotated[str, AfterValidator(_a_cursor)] | None = Field(
        None, description="`next_cursor` of the page before"
    )
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class SilenceFilters(Filters):
    """Whose silence."""

    customer_id: Id
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class NewSilence(Body):
    """A customer to be left alone by a scenario: suppressed for a reason that holds, or snoozed and told at the end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
                    "scenario": "cash_report",
                    "kind": "suppress",
                    "until": "2027-01-01T00:00:00Z",
                    "reason": "the till of the branch in Main Street",
                }
            ]
        }
    )

    customer_id: Id
    scenario: Scenario
    kind: SilenceKind
    until: Instant
    reason: Reason

    def command(self, by: str) -> SilenceScenario:
        return SilenceScenario(
            customer_id=self.customer_id,
            scenario=self.scenario,
            kind=self.kind,
            until=self.until,
            reason=self.reason,
            by=by,
            role=CLIENT,
        )


class SilenceEnd(Body):
    """A customer to be left alone no more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
                    "scenario": "cash_report",
                    "reason": "the branch in Main Street is closed",
                }
            ]
        }
    )

    customer_id: Id
    scenario: Scenario
    reason: Reason

    def command(self, by: str) -> EndSilence:
        return EndSilence(customer_id=self.customer_id, scenario=self.scenario, reason=self.reason, by=by, role=CLIENT)


class NewParameters(Body):
    """All parameters of a scenario, in force from a moment on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "scenario": "cash_report",
                    "parameters": {"above_cents": 1_000_000, "quiet_hours": 720},
                    "effective_from": "2027-01-01T00:00:00Z",
                    "reason": "decided by the committee in November",
                }
            ]
        }
    )

    scenario: Scenario
    parameters: dict[str, bool | int | str]
    effective_from: Instant | None = Field(None, description="now, if not given")
    reason: Reason

    def command(self, by: str) -> SetParameters:
        """Raises Problem for parameters that the scenario doesn't have."""
        try:
            found = parameters.read(self.scenario, self.parameters)
        except ParametersFault as fault:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameters", str(fault), field="parameters"
            ) from fault
        return SetParameters(
            scenario=self.scenario,
            parameters=found,
            effective_from=self.effective_from,
            reason=self.reason,
            by=by,
            role=CLIENT,
        )


def router(runtime: Runtime) -> APIRouter:
    """The routes under /v1."""
    ask = MonitoringRoutes(runtime)
    found = APIRouter(prefix="/v1", tags=["monitoring"])
    add = found.post
    alerts = looks.shown(runtime, ObjectKind.ALERTS)
    silences = looks.shown(runtime, ObjectKind.SILENCES)
    scenarios = looks.shown(runtime, ObjectKind.SCENARIOS)
    found.get("/alerts", responses=reading() | answering(OK, AlertPage))(alerts(ask.list_alerts))
    found.get("/silences", responses=reading() | answering(OK, SilencesView))(silences(ask.list_silences))
    add("/silences", status_code=CREATED, responses=changing() | answering(CREATED, CustomerSilenceView))(ask.silence)
    add("/silences/endings", responses=changing() | answering(OK, CustomerSilenceView))(ask.end_silence)
    found.get("/scenarios", responses=reading() | answering(OK, ScenariosView))(scenarios(ask.list_scenarios))
    add("/scenarios", status_code=CREATED, responses=changing() | answering(CREATED, ChangeView))(ask.set_parameters)
    return found


class MonitoringRoutes:
    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, ComplianceSettings)
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._live = live_standards(runtime.settings)

    def list_alerts(self, who: Who, filters: Annotated[AlertFilters, Query()]) -> dict[str, Any]:
        """What scenarios have raised, the newest first."""
        return asked_of.list_alerts(
            self._engine,
            scenario=filters.scenario,
            customer_id=filters.customer_id,
            state=filters.state,
            cursor=queries.parse_moment_cursor(filters.cursor) if filters.cursor else None,
            limit=filters.limit,
        )

    def list_silences(self, who: Who, filters: Annotated[SilenceFilters, Query()]) -> dict[str, Any]:
        """What was said about silence on a customer, the newest first."""
        return {"silences": asked_of.list_silences(self._engine, filters.customer_id, limit=filters.limit)}

    def list_scenarios(self, who: Who) -> dict[str, Any]:
        """What each scenario looks for now, and from when on for something else."""
        with transaction(self._engine) as tx:
            standards = self._live.current(tx)
        return {"scenarios": asked_of.scenarios_view(standards, datetime.now(UTC))}

    async def silence(self, asked: Asked, body: NewSilence) -> Response:
        """Leave a customer alone by a scenario until a time."""
        command = body.command(asked.who.client.client_id)
        return await asked.carry_out(self._edge, "silences", [command], _silence_answer(command))

    async def end_silence(self, asked: Asked, body: SilenceEnd) -> Response:
        """Leave a customer alone no more. What a snooze has held back comes up."""
        command = body.command(asked.who.client.client_id)
        return await asked.carry_out(self._edge, "silences/endings", [command], _silence_answer(command))

    async def set_parameters(self, asked: Asked, body: NewParameters) -> Response:
        """Propose that a scenario looks for something else from a moment on: another person confirms it at the desk."""
        command = body.command(asked.who.client.client_id)
        return await asked.carry_out(
            self._edge, "scenarios", [command], answer_one(CREATED, lambda state: _change_view(state, command))
        )


def _silence_answer(command: SilenceScenario | EndSilence) -> Respond:
    def view(state: Any) -> dict[str, Any]:
        watched = state.monitored.watched[command.customer_id]
        (silence,) = (one for one in watched.silences if one.scenario is command.scenario)
        return asked_of.silence_view(command.customer_id, silence)

    status = CREATED if isinstance(command, SilenceScenario) else OK
    return answer_one(status, view, unknown=(RefusalReason.CUSTOMER_UNKNOWN,))


def _change_view(state: Any, command: SetParameters) -> dict[str, Any]:
    # The last of the batch's about this scenario with these words: two that are the same are one.
    changes = [
        one for one in state.changes.values() if one.about == command.scenario.value and one.proposed_by == command.by
    ]
    return asked_of.change_view(changes[-1])
