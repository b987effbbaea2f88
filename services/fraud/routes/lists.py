"""Lists that people keep: who is to be blocked, allowed, watched."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from libs.common.answers import CREATED, NOT_FOUND, OK, answer_one
from libs.common.change import Asked
from libs.common.edge import Respond
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.fraud.domain.lists import AddListEntry, RefusalReason, RemoveListEntry, entry_id
from services.fraud.queries import lists
from services.fraud.requests import EntryFilters, ListEntryRemoval, NewListEntry
from services.fraud.views.lists import ListEntryPage, ListEntryView


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = ListRoutes(runtime)
    tags: list[Any] = ["lists"]
    made, ended = answering(CREATED, ListEntryView), answering(OK, ListEntryView)
    router.post("/list-entries", tags=tags, status_code=CREATED, responses=changing() | made)(ask.add_entry)
    router.post("/list-entries/removals", tags=tags, responses=changing(NOT_FOUND) | ended)(ask.remove_entry)
    router.get("/list-entries", tags=tags, responses=reading() | answering(OK, ListEntryPage))(ask.list_entries)


class ListRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def add_entry(self, asked: Asked, body: NewListEntry) -> Response:
        """Put an account or a device on a list; who is on it already is on it by the new reason, until the new end."""
        command = body.command(asked.who.client.client_id)
        return await asked.carry_out(self._edge, "list-entries", [command], _answer(command))

    async def remove_entry(self, asked: Asked, body: ListEntryRemoval) -> Response:
        """Take an account or a device off a list. The entry stays, with its end."""
        command = body.command(asked.who.client.client_id)
        return await asked.carry_out(self._edge, "list-entries/removals", [command], _answer(command))

    def list_entries(self, who: Who, filters: Annotated[EntryFilters, Query()]) -> dict[str, Any]:
        """Who is or was on which list, a page at a time."""
        return lists.list_entries(
            self._engine,
            list_name=filters.list_name,
            entity_id=filters.entity,
            after=filters.cursor,
            limit=filters.limit,
            now=datetime.now(UTC),
        )


def _answer(command: AddListEntry | RemoveListEntry) -> Respond:
    key = entry_id(command.list_name, command.kind, command.entity_id)
    status = CREATED if isinstance(command, AddListEntry) else OK
    return answer_one(
        status,
        lambda state: lists.entry_view(state.list_entries[key], datetime.now(UTC)),
        unknown=(RefusalReason.ENTRY_UNKNOWN,),
    )
