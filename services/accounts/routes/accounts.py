"""What can be asked about accounts: their state, their bounds, their balances."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from libs.common.answers import CREATED, NOT_FOUND, OK, PAGE_LENGTH_MAX, found
from libs.common.change import Asked, Change
from libs.common.fields import Filters, Id, Instant
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.domain.chart import AccountKind
from services.accounts.domain.customers import Close, Freeze, OpenAccount, SetBounds, Thaw, account_id_of
from services.accounts.queries import lists
from services.accounts.requests import Bounds, Freezing, NewAccount
from services.accounts.routes.answers import answer_account, limits_of, require_visible
from services.accounts.views import AccountPage, AccountView, BalanceView


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = AccountRoutes(runtime)
    made, one = answering(CREATED, AccountView), answering(OK, AccountView)
    read, change = reading(NOT_FOUND), changing(NOT_FOUND)
    tags: list[Any] = ["accounts"]
    router.post("/accounts", tags=tags, status_code=CREATED, responses=changing() | made)(ask.open_account)
    router.get("/accounts", tags=tags, responses=reading() | answering(OK, AccountPage))(ask.list_accounts)
    path = "/accounts/{account_id}"
    router.get(path, tags=tags, responses=read | one)(ask.get_account)
    router.get(f"{path}/balance", tags=tags, responses=read | answering(OK, BalanceView))(ask.get_balance)
    router.post(f"{path}/freeze", tags=tags, responses=change | one)(ask.freeze)
    router.post(f"{path}/thaw", tags=tags, responses=change | one)(ask.thaw)
    router.post(f"{path}/close", tags=tags, responses=change | one)(ask.close)
    router.post(f"{path}/bounds", tags=tags, responses=change | one)(ask.set_bounds)


class AccountFilters(Filters):
    """Which accounts to list."""

    customer_id: Id | None = None
    kind: AccountKind | None = None
    cursor: Id | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class Moment(Filters):
    """When, and by which of an entry's two times."""

    at: Instant | None = Field(None, description="now, if not given")
    by: Literal["recorded", "effective"] = Field(
        "recorded",
        description="`recorded`: what the books said then; `effective`: what counts until then, as known now",
    )


class AccountRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._limits = limits_of(runtime)

    async def open_account(self, asked: Asked, body: NewAccount) -> Response:
        """Open one more account for a verified customer."""
        command = OpenAccount(
            customer_id=body.customer_id,
            currency=body.currency,
            metadata=body.metadata,
            tenant_id=asked.who.client.tenant_id,
        )
        answer = answer_account(CREATED, account_id_of(body.customer_id, body.currency))
        return await asked.carry_out(self._edge, "accounts", [command], answer)

    def list_accounts(self, who: Who, filters: Annotated[AccountFilters, Query()]) -> dict[str, Any]:
        """Accounts by id, a page at a time. Those of the house are for staff. A page may be short, or empty, and have
        a next one."""
        return lists.list_accounts(
            self._engine,
            self._limits,
            tenant_id=who.client.tenant_id,
            customer_id=filters.customer_id,
            kind=filters.kind if who.client.is_staff else AccountKind.CUSTOMER,
            after=filters.cursor,
            limit=filters.limit,
        )

    def get_account(self, account_id: Id, who: Who) -> dict[str, Any]:
        """An account: what is posted, held and available, and what is left of its limits."""
        require_visible(self._engine, account_id, who)
        return found(queries.find_account(self._engine, account_id, self._limits), "account_id")

    def get_balance(self, account_id: Id, who: Who, moment: Annotated[Moment, Query()]) -> dict[str, Any]:
        """What was posted on an account at any instant."""
        require_visible(self._engine, account_id, who)
        is_effective = moment.by == "effective"
        balance = queries.balance_at(self._engine, account_id, moment.at, by_effective_time=is_effective)
        return found(balance, "account_id")

    async def freeze(self, asked: Asked, account_id: Id, body: Freezing | None = None) -> Response:
        """Let an account pay no more, nor receive unless the body says so."""
        may_receive = body is not None and body.may_receive
        return await self._change(
            asked, Freeze(account_id=account_id, may_receive=may_receive, tenant_id=asked.who.client.tenant_id)
        )

    async def thaw(self, asked: Asked, account_id: Id) -> Response:
        """Let a frozen account pay and receive again."""
        return await self._change(asked, Thaw(account_id=account_id, tenant_id=asked.who.client.tenant_id))

    async def close(self, asked: Asked, account_id: Id) -> Response:
        """Close an account that holds nothing."""
        return await self._change(asked, Close(account_id=account_id, tenant_id=asked.who.client.tenant_id))

    async def set_bounds(self, asked: Asked, account_id: Id, body: Bounds) -> Response:
        """Say how far an account may be overdrawn and how much it may hold: what is not given is no longer allowed, and
        no longer limited."""
        return await self._change(asked, body.command(account_id))

    async def _change(self, asked: Change, command: Freeze | Thaw | Close | SetBounds) -> Response:
        route = f"accounts/{command.account_id}/{type(command).__name__.lower()}"
        return await asked.carry_out(
            self._edge, route, [command], answer_account(OK, command.account_id, in_path="account_id")
        )
