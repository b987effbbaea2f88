"""Money set aside by request."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from libs.common.answers import CREATED, NOT_FOUND, OK, PAGE_LENGTH_MAX, found
from libs.common.change import Asked
from libs.common.fields import Filters, Id
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.domain.holds import PostHold, PostHolds, VoidHold
from services.accounts.domain.ledger import HoldKind, HoldStatus, Ledger
from services.accounts.queries import lists
from services.accounts.requests import HoldPosting, HoldPostings, NewHold
from services.accounts.routes.answers import answer_each, answer_one, is_visible, require_visible
from services.accounts.views import HoldBatchView, HoldPage, HoldView


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = HoldRoutes(runtime)
    made, one, change = answering(CREATED, HoldView), answering(OK, HoldView), changing(NOT_FOUND)
    tags: list[Any] = ["holds"]
    router.post("/holds", tags=tags, status_code=CREATED, responses=changing() | made)(ask.place)
    router.get("/holds", tags=tags, responses=reading() | answering(OK, HoldPage))(ask.list_holds)
    path = "/holds/{hold_id}"
    router.get(path, tags=tags, responses=reading(NOT_FOUND) | one)(ask.get_hold)
    router.post(f"{path}/post", tags=tags, responses=change | one)(ask.post)
    many = answering(OK, HoldBatchView)
    router.post("/hold-posting-batches", tags=tags, responses=changing() | many)(ask.post_many)
    router.post(f"{path}/void", tags=tags, responses=change | one)(ask.void)


class HoldFilters(Filters):
    """Which holds to list."""

    account_id: Id = Field(description="the account whose money is set aside")
    status: HoldStatus | None = None
    cursor: Id | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class HoldRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def place(self, asked: Asked, body: NewHold) -> Response:
        """Set money aside for another account, until it is posted or voided or its time runs out."""
        command = body.command(asked.who.client.tenant_id)
        answer = answer_one(CREATED, _view_of(command.hold_id))
        return await asked.carry_out(self._edge, "holds", [command], answer)

    def list_holds(self, who: Who, filters: Annotated[HoldFilters, Query()]) -> dict[str, Any]:
        """An account's holds by request, by id, a page at a time; for staff that asks for what is `held` also those of
        payments. A page may be short, or empty, and have a next one."""
        if not is_visible(self._engine, filters.account_id, who):
            return {"holds": [], "next_cursor": None}
        return lists.list_holds(
            self._engine,
            account_id=filters.account_id,
            status=filters.status,
            with_payments=who.client.is_staff,
            after=filters.cursor,
            limit=filters.limit,
        )

    def get_hold(self, hold_id: Id, who: Who) -> dict[str, Any]:
        """What became of money that was set aside by request; for staff also of a payment's."""
        hold = found(queries.find_hold(self._engine, hold_id), "hold_id")
        is_shown = who.client.is_staff or hold["kind"] == HoldKind.REQUEST
        require_visible(self._engine, hold["debit_account_id"], who, field="hold_id")
        return found(hold if is_shown else None, "hold_id")

    async def post(self, asked: Asked, hold_id: Id, body: HoldPosting | None = None) -> Response:
        """Move what is set aside: all that is left, or a part of it, once or in several goes."""
        command = (body or HoldPosting()).command(hold_id, asked.who.client.tenant_id)
        return await self._change(asked, command, "post")

    async def post_many(self, asked: Asked, body: HoldPostings) -> Response:
        """Move what up to a thousand holds have set aside: all of them or none, or each on its own."""
        commands = [posting.command(posting.hold_id, asked.who.client.tenant_id) for posting in body.postings]
        views = [_view_of(command.hold_id) for command in commands]
        route = "hold-posting-batches"
        if not body.is_linked:
            return await asked.carry_out(self._edge, route, commands, answer_each("holds", views))
        answer = answer_one(OK, lambda ledger: {"holds": [view(ledger) for view in views]})
        return await asked.carry_out(self._edge, route, [PostHolds(postings=tuple(commands))], answer)

    async def void(self, asked: Asked, hold_id: Id) -> Response:
        """Give back what has not been posted."""
        return await self._change(asked, VoidHold(hold_id=hold_id, tenant_id=asked.who.client.tenant_id), "void")

    async def _change(self, asked: Asked, command: PostHold | VoidHold, verb: str) -> Response:
        answer = answer_one(OK, _view_of(command.hold_id), in_path="hold_id")
        return await asked.carry_out(self._edge, f"holds/{command.hold_id}/{verb}", [command], answer)


def _view_of(hold_id: str) -> Callable[[Ledger], dict[str, Any]]:
    return lambda ledger: queries.hold_view(ledger.holds[hold_id])
