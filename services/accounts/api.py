"""The HTTP API of accounts: customers, accounts, balances, statements, and money from outside."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from libs.common.batch import Refusal
from libs.common.change import Asked
from libs.common.edge import Respond
from libs.common.fields import Filters, Id
from libs.common.http import Problem, answer_json, answer_problem
from libs.common.idempotency import Answer
from libs.common.money import format_amount
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.domain.customers import (
    Close,
    Freeze,
    Fund,
    OpenAccount,
    RefusalReason,
    RegisterCustomer,
    Thaw,
    account_id_of,
)
from services.accounts.domain.ledger import CustomerStatus, Ledger
from services.accounts.requests import Funding, Fundings, NewAccount, NewCustomer, NewCustomers, Reader, Staff
from services.accounts.views import (
    AccountPage,
    AccountView,
    BooksView,
    CustomerView,
    FundingBatchView,
    FundingView,
    RegisteredBatchView,
    RegisteredView,
    StatementView,
)

PAGE_LENGTH_MAX = 500

_OK, _CREATED, _NOT_FOUND = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NOT_FOUND
_UNKNOWN = frozenset({RefusalReason.ACCOUNT_UNKNOWN, RefusalReason.CUSTOMER_UNKNOWN})


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1: the table of contents."""
    router = APIRouter(prefix="/v1")
    _add_customers(router, CustomerRoutes(runtime))
    _add_accounts(router, AccountRoutes(runtime))
    _add_fundings(router, FundingRoutes(runtime))
    books = BookRoutes(runtime)
    router.get("/books", tags=["books"], responses=reading() | answering(_OK, BooksView))(books.get_books)
    return [router]


def _add_customers(router: APIRouter, ask: "CustomerRoutes") -> None:
    made, found = answering(_CREATED, RegisteredView), answering(_OK, CustomerView)
    many = answering(_OK, RegisteredBatchView)
    tags: list[Any] = ["customers"]
    router.post("/customers", tags=tags, status_code=_CREATED, responses=changing() | made)(ask.register_customer)
    router.post("/customer-batches", tags=tags, responses=changing() | many)(ask.register_customers)
    router.get("/customers/{customer_id}", tags=tags, responses=reading(_NOT_FOUND) | found)(ask.get_customer)


def _add_accounts(router: APIRouter, ask: "AccountRoutes") -> None:
    made, found = answering(_CREATED, AccountView), answering(_OK, AccountView)
    read, change = reading(_NOT_FOUND), changing(_NOT_FOUND)
    tags: list[Any] = ["accounts"]
    router.post("/accounts", tags=tags, status_code=_CREATED, responses=change | made)(ask.open_account)
    router.get("/accounts", tags=tags, responses=reading() | answering(_OK, AccountPage))(ask.list_accounts)
    one = "/accounts/{account_id}"
    router.get(one, tags=tags, responses=read | found)(ask.get_account)
    router.get(f"{one}/statement", tags=tags, responses=read | answering(_OK, StatementView))(ask.get_statement)
    router.post(f"{one}/freeze", tags=tags, responses=change | found)(ask.freeze)
    router.post(f"{one}/thaw", tags=tags, responses=change | found)(ask.thaw)
    router.post(f"{one}/close", tags=tags, responses=change | found)(ask.close)


def _add_fundings(router: APIRouter, ask: "FundingRoutes") -> None:
    made, many = answering(_CREATED, FundingView), answering(_OK, FundingBatchView)
    tags: list[Any] = ["fundings"]
    router.post("/fundings", tags=tags, status_code=_CREATED, responses=changing(_NOT_FOUND) | made)(ask.fund)
    router.post("/funding-batches", tags=tags, responses=changing() | many)(ask.fund_many)


class CustomerRoutes:
    """What can be asked about customers."""

    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def register_customer(self, asked: Asked, body: NewCustomer) -> Response:
        """Register a customer. Its accounts are opened as soon as compliance has verified it."""
        command = body.command()
        answer = _answer_one(_CREATED, lambda _: _registered_view(command))
        return await asked.carry_out(self._edge, "customers", [command], answer)

    async def register_customers(self, asked: Asked, body: NewCustomers) -> Response:
        """Register up to a thousand customers at once."""
        commands = [customer.command() for customer in body.customers]

        def answer(_: Ledger, __: Sequence[Refusal | None]) -> Answer:
            return answer_json(_OK, {"customers": [_registered_view(command) for command in commands]})

        return await asked.carry_out(self._edge, "customer-batches", commands, answer)

    def get_customer(self, customer_id: Id, who: Reader) -> dict[str, Any]:
        """A customer: how far it is verified, and its accounts."""
        return _found(queries.find_customer(self._engine, customer_id), "customer_id")


class AccountFilters(Filters):
    """Which accounts to list."""

    customer_id: Id | None = None
    cursor: Id | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class StatementFilters(Filters):
    """Which entries of an account to show."""

    after: int = Field(0, ge=0, lt=2**63, description="the number of the last entry already seen")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class AccountRoutes:
    """What can be asked about accounts."""

    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def open_account(self, asked: Asked, body: NewAccount) -> Response:
        """Open one more account for a verified customer."""
        command = OpenAccount(customer_id=body.customer_id, currency=body.currency)
        answer = _answer_account(_CREATED, account_id_of(body.customer_id, body.currency))
        return await asked.carry_out(self._edge, "accounts", [command], answer)

    def list_accounts(self, who: Reader, filters: Annotated[AccountFilters, Query()]) -> dict[str, Any]:
        """Accounts by id, a page at a time."""
        return queries.list_accounts(
            self._engine, customer_id=filters.customer_id, after=filters.cursor, limit=filters.limit
        )

    def get_account(self, account_id: Id, who: Reader) -> dict[str, Any]:
        """An account with its balances: posted, held, and what is available."""
        return _found(queries.find_account(self._engine, account_id), "account_id")

    def get_statement(
        self, account_id: Id, who: Reader, filters: Annotated[StatementFilters, Query()]
    ) -> dict[str, Any]:
        """An account's entries in order, with the balance after each."""
        found = queries.statement(self._engine, account_id, after=filters.after, limit=filters.limit)
        return _found(found, "account_id")

    async def freeze(self, asked: Asked, account_id: Id) -> Response:
        """Let an account neither pay nor receive."""
        return await self._change_status(asked, Freeze(account_id=account_id))

    async def thaw(self, asked: Asked, account_id: Id) -> Response:
        """Let a frozen account pay and receive again."""
        return await self._change_status(asked, Thaw(account_id=account_id))

    async def close(self, asked: Asked, account_id: Id) -> Response:
        """Close an account that holds nothing."""
        return await self._change_status(asked, Close(account_id=account_id))

    async def _change_status(self, asked: Asked, command: Freeze | Thaw | Close) -> Response:
        route = f"accounts/{command.account_id}/{type(command).__name__.lower()}"
        return await asked.carry_out(self._edge, route, [command], _answer_account(_OK, command.account_id))


class FundingRoutes:
    """What can be asked about money from outside."""

    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge

    async def fund(self, asked: Asked, body: Funding) -> Response:
        """Credit an account with money that came in from outside."""
        command = body.command()
        answer = _answer_one(_CREATED, lambda _: _funding_view(command))
        return await asked.carry_out(self._edge, "fundings", [command], answer)

    async def fund_many(self, asked: Asked, body: Fundings) -> Response:
        """Up to a thousand fundings at once, each carried out or refused on its own."""
        commands = [funding.command() for funding in body.fundings]

        def answer(_: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
            results = [
                _funding_view(command) if refusal is None else _refused_view(refusal)
                for command, refusal in zip(commands, refusals, strict=True)
            ]
            return answer_json(_OK, {"fundings": results})

        return await asked.carry_out(self._edge, "funding-batches", commands, answer)


class BookRoutes:
    """What can be asked about the books."""

    def __init__(self, runtime: Runtime) -> None:
        self._engine = runtime.engine

    def get_books(self, who: Staff) -> dict[str, Any]:
        """Whether the books balance: everything recomputed from the entries."""
        return queries.check_books(self._engine)


def _answer_one(status: HTTPStatus, view: Callable[[Ledger], dict[str, Any]]) -> Respond:
    """The answer to a single command: what it led to, or why it was refused."""

    def answer(ledger: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is None:
            return answer_json(status, view(ledger))
        refused = _NOT_FOUND if refusal.reason in _UNKNOWN else HTTPStatus.CONFLICT
        return answer_problem(Problem(refused, refusal.reason, refusal.detail, field=refusal.field))

    return answer


def _answer_account(status: HTTPStatus, account_id: str) -> Respond:
    return _answer_one(status, lambda ledger: queries.account_view(ledger.accounts[account_id]))


def _registered_view(command: RegisterCustomer) -> dict[str, Any]:
    return {
        "customer_id": command.customer_id,
        "status": CustomerStatus.REGISTERED.value,
        "accounts": [
            {"account_id": account_id_of(command.customer_id, currency), "currency": currency}
            for currency in command.currencies
        ],
    }


def _funding_view(command: Fund) -> dict[str, Any]:
    return {
        "transfer_id": command.transfer_id,
        "account_id": command.account_id,
        "amount": format_amount(command.amount_minor, command.currency),
        "currency": command.currency,
        "status": "posted",
    }


def _refused_view(refusal: Refusal) -> dict[str, Any]:
    return {"status": "refused", "reason": refusal.reason, "detail": refusal.detail, "field": refusal.field}


def _found(result: dict[str, Any] | None, field: str) -> dict[str, Any]:
    if result is None:
        raise Problem(_NOT_FOUND, "not_found", "there is none with this id", field=field)
    return result
