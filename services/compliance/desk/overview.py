"""The manager's page: what waits for how long, what was decided in time, and what came of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from libs.common.service import Runtime
from services.compliance import overview_queries
from services.compliance.desk import guard, render, views
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.people import Permission
from services.compliance.overview_queries import Backlog, Overview, Reporting

BAR_WIDTH = 420


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/overview and /desk/api/overview."""
    pages = APIRouter(prefix=f"{guard.PATH}/overview", route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api/overview")
    sees = guard.allow(sessions, Permission.SEE_OVERVIEW, ObjectKind.OVERVIEW)

    def found(person: DeskSession) -> tuple[Overview, Reporting | None]:
        """What everybody here may know, and what only those may who know of reports."""
        now = datetime.now(UTC)
        may_know = person.may(Permission.SEE_FILINGS)
        reporting = overview_queries.find_reporting(runtime.engine, now) if may_know else None
        return overview_queries.find_overview(runtime.engine, now), reporting

    @pages.get("")
    def show(person: DeskSession = sees) -> Response:
        """How the desk is doing."""
        overview, reporting = found(person)
        return render.page(
            "overview.html",
            person=person,
            overview=overview,
            reporting=reporting,
            bars=[(backlog, _segments(backlog, overview.backlog)) for backlog in overview.backlog],
            bar_width=BAR_WIDTH,
            in_words=views.reason_in_words,
            span=views.span,
            days=overview_queries.WINDOW.days,
        )

    @programs.get("")
    def show_as_json(person: DeskSession = sees) -> Mapping[str, Any]:
        """How the desk is doing. What was reported is told to officers and auditors alone."""
        overview, reporting = found(person)
        shown: dict[str, Any] = msgspec.to_builtins(overview)
        return {**shown, "reporting": msgspec.to_builtins(reporting)} if reporting is not None else shown

    return [pages, programs]


def _segments(backlog: Backlog, others: tuple[Backlog, ...]) -> list[tuple[int, float, float]]:
    """The parts of a bar: priority, where it begins, and how wide it is."""
    most = max((other.count for other in others), default=0) or 1
    segments, x = [], 0.0
    for priority, count in enumerate(backlog.by_priority, 1):
        width = round(count / most * BAR_WIDTH, 1)
        segments.append((priority, x, width))
        x += width
    return segments
