"""What rulebooks and models have in common: they come in versions, which are tried in the shadow and released."""

from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Response

from libs.common.answers import NOT_FOUND, OK, answer_one, found
from libs.common.change import Asked
from libs.common.edge import Respond
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.fraud.events import VersionKind, VersionState
from services.fraud.domain.knowledge import Knowledge
from services.fraud.domain.versions import AddVersion, MoveVersion, RefusalReason, version_key
from services.fraud.queries import comparisons, versions
from services.fraud.requests import NewState, Version, VersionFilters, WindowFilters
from services.fraud.views.versions import ComparisonView, VersionPage, VersionView


class VersionRoutes:
    def __init__(self, runtime: Runtime, kind: VersionKind, path: str) -> None:
        self.edge = runtime.edge
        self.engine = runtime.engine
        self.kind = kind
        self.path = path

    def add(self, router: APIRouter) -> None:
        """Add the routes."""
        tags: list[Any] = [self.path]
        path, one = f"/{self.path}/{{version}}", reading(NOT_FOUND)
        router.get(f"/{self.path}", tags=tags, responses=reading() | answering(OK, VersionPage))(self.list_versions)
        moved = changing(NOT_FOUND) | answering(OK, VersionView)
        router.post(f"{path}/state", tags=tags, responses=moved)(self.move)
        router.get(f"{path}/comparison", tags=tags, responses=one | answering(OK, ComparisonView))(self.compare)

    def list_versions(self, who: Who, filters: Annotated[VersionFilters, Query()]) -> dict[str, Any]:
        """All versions, newest first, a page at a time."""
        return versions.list_versions(self.engine, self.kind, after=filters.cursor, limit=filters.limit)

    async def move(self, asked: Asked, version: Version, body: NewState) -> Response:
        """Try a version in the shadow, release it, or retire it. What is released takes the place of what was live; to
        roll back is to release an earlier version."""
        if body.state is not VersionState.RETIRED:
            await anyio.to_thread.run_sync(self._require_fit, version)
        command = MoveVersion(
            kind=self.kind, version=version, state=body.state, by=asked.who.client.client_id, reason=body.reason
        )
        answer = answer_one(
            OK, lambda state: self.view_of(state, version), unknown=(RefusalReason.VERSION_UNKNOWN,), in_path="version"
        )
        return await asked.carry_out(self.edge, f"{self.path}/{version}/state", [command], answer)

    def compare(self, version: Version, who: Who, window: Annotated[WindowFilters, Query()]) -> dict[str, Any]:
        """What a version would have answered in the shadow, beside what was answered, and how its rules would have
        done."""

        found(versions.find_state(self.engine, self.kind, version), "version")
        return comparisons.compare(self.engine, self.kind, version, window.window)

    async def bring(self, asked: Asked, command: AddVersion, answer: Respond) -> Response:
        """Keep a version as a draft."""
        return await asked.carry_out(self.edge, self.path, [command], answer)

    def view_of(self, state: Knowledge, version: str) -> dict[str, Any]:
        return versions.version_view(state.versions[version_key(self.kind, version)])

    def _require_fit(self, version: str) -> None:
        # What was brought long ago may ask for features that there are no more.
        if (fault := versions.why_unfit(self.engine, self.kind, version)) is not None:
            raise Problem(HTTPStatus.CONFLICT, "version_unfit", f"it can't judge any more: {fault}", field="version")
