"""Rulebooks: checked, kept, tried in the shadow, released; and how their rules did."""

from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Response

from libs.common.answers import CREATED, NOT_FOUND, OK, answer_one, found
from libs.common.change import Asked
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.fraud.events import VersionKind
from services.fraud.bringing import add_rulebook
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.queries import rules, versions
from services.fraud.requests import NewRulebook, RulebookText, Version
from services.fraud.routes.versions import VersionRoutes
from services.fraud.views.rulebooks import CheckedRulebookView, DraftView, RulebookProblemView, RulebookView
from services.fraud.views.rules import RulesView

_FAULTY = answering(
    HTTPStatus.UNPROCESSABLE_ENTITY, RulebookProblemView, "The text has faults, each with its line and column."
)


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = RulebookRoutes(runtime)
    tags: list[Any] = ["rulebooks"]
    made, checked = answering(CREATED, DraftView), answering(OK, CheckedRulebookView)
    router.post("/rulebooks", tags=tags, status_code=CREATED, responses=changing() | made | _FAULTY)(ask.add_rulebook)
    router.post("/rulebooks/check", tags=tags, responses=reading(HTTPStatus.BAD_REQUEST) | checked | _FAULTY)(
        ask.check_rulebook
    )
    ask.versions.add(router)
    one = reading(NOT_FOUND) | answering(OK, RulebookView)
    router.get("/rulebooks/{version}", tags=tags, responses=one)(ask.get_rulebook)
    router.get("/rules", tags=["rules"], responses=reading(NOT_FOUND) | answering(OK, RulesView))(ask.get_rules)


class RulebookRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self.versions = VersionRoutes(runtime, VersionKind.RULEBOOK, "rulebooks")
        self._engine = runtime.engine

    async def add_rulebook(self, asked: Asked, body: NewRulebook) -> Response:
        """Keep a rulebook as a draft. The same text again is the version that is there already."""
        rulebook = await anyio.to_thread.run_sync(_read, body.text)
        command = add_rulebook(rulebook, name=body.name, by=asked.who.client.client_id)

        def view(state: Any) -> dict[str, Any]:
            return {**versions.checked_view(rulebook), **self.versions.view_of(state, rulebook.version)}

        return await self.versions.bring(asked, command, answer_one(CREATED, view))

    def check_rulebook(self, who: Who, body: RulebookText) -> dict[str, Any]:
        """Tell what a rulebook says, or what is wrong with it. Nothing is kept."""
        return versions.checked_view(_read(body.text))

    def get_rulebook(self, version: Version, who: Who) -> dict[str, Any]:
        """A rulebook: its text, what its rules mean and go by, and who gave it which state."""
        return found(versions.find_rulebook(self._engine, version), "version")

    def get_rules(
        self,
        who: Who,
        version: Annotated[Version | None, Query(description="of the rules; the live one if not given")] = None,
    ) -> dict[str, Any]:
        """Each rule, what it means, how often it fired, and what its payments turned out to be."""
        return found(rules.rules_view(self._engine, version), "version")


def _read(text: str) -> Rulebook:
    try:
        return compile_rulebook(text, CATALOGUE)
    except RulebookFaulty as faulty:
        raise _problem(faulty) from None


def _problem(faulty: RulebookFaulty) -> Problem:
    errors: list[dict[str, str | int]] = [
        {"line": fault.line, "column": fault.column, "message": fault.message} for fault in faulty.faults
    ]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "rulebook_faulty", str(faulty), field="text", errors=errors)
