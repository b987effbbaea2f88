"""The HTTP API of accounts: customers, accounts, balances, statements, and money from outside."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.clients import Scope
from libs.common.fields import Body, Country, Currency, Id, Instant, MoneyBody, PartialDate, text
from libs.common.http import (
    Caller,
    IdempotencyKey,
    Problem,
    answer_json,
    answer_problem,
    caller,
    request_key,
    respond,
)
from libs.common.idempotency import Answer
from libs.common.message import Command, Message
from libs.common.money import format_amount
from libs.common.service import Runtime
from schemas.accounts.events import CustomerKind, CustomerPersonalData
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
from services.accounts.domain.ledger import Account, Ledger

BATCH_LENGTH_MAX = 1_000
PAGE_LENGTH_MAX = 500

_NOT_FOUND = frozenset({RefusalReason.ACCOUNT_UNKNOWN, RefusalReason.CUSTOMER_UNKNOWN})

Writer = Annotated[Caller, caller(Scope.WRITE)]
Reader = Annotated[Caller, caller(Scope.READ)]


class NewCustomer(Body):
    """A person or company that wants to be served."""

    name: Annotated[str, text()]
    kind: CustomerKind = CustomerKind.PERSON
    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None
    currencies: Annotated[tuple[Currency, ...], Field(max_length=20)] = ()


class NewCustomers(Body):
    customers: Annotated[list[NewCustomer], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


class NewAccount(Body):
    customer_id: Id
    currency: Currency


class Funding(MoneyBody):
    """Money that came in from outside, to be credited to an account."""

    account_id: Id
    reference: Annotated[str, text()] | None = None
    effective_at: Instant | None = None


class Fundings(Body):
    fundings: Annotated[list[Funding], Field(min_length=1, max_length=BATCH_LENGTH_MAX)]


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1."""
    router = APIRouter(prefix="/v1")
    edge, engine = runtime.edge, runtime.engine

    async def carry_out(
        request: Request, who: Caller, key: str, route: str, commands: Sequence[Command], respond_with: Any
    ) -> Response:
        messages = [
            Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=who.trace)
            for command in commands
        ]
        answer = await edge.submit(request_key(who, route, key), await request.body(), messages, respond_with)
        return respond(answer)

    @router.post("/customers", status_code=HTTPStatus.CREATED, tags=["customers"])
    async def register_customer(request: Request, who: Writer, key: IdempotencyKey, body: NewCustomer) -> Response:
        """Register a customer. Its accounts are opened as soon as compliance has verified it."""
        command = _register(body)
        return await carry_out(
            request,
            who,
            key,
            "customers",
            [command],
            _each_or_problem(lambda _: _customer_view(command), HTTPStatus.CREATED),
        )

    @router.post("/customer-batches", tags=["customers"])
    async def register_customers(request: Request, who: Writer, key: IdempotencyKey, body: NewCustomers) -> Response:
        """Register up to a thousand customers at once."""
        commands = [_register(customer) for customer in body.customers]

        def answer(_: Ledger, __: Sequence[Refusal | None]) -> Answer:
            return answer_json(HTTPStatus.OK, {"customers": [_customer_view(command) for command in commands]})

        return await carry_out(request, who, key, "customer-batches", commands, answer)

    @router.get("/customers/{customer_id}", tags=["customers"])
    def get_customer(customer_id: Id, who: Reader) -> dict[str, Any]:
        """A customer: how far it is verified, and its accounts."""
        return _found(queries.find_customer(engine, customer_id))

    @router.post("/accounts", status_code=HTTPStatus.CREATED, tags=["accounts"])
    async def open_account(request: Request, who: Writer, key: IdempotencyKey, body: NewAccount) -> Response:
        """Open one more account for a verified customer."""
        account_id = account_id_of(body.customer_id, body.currency)
        return await carry_out(
            request,
            who,
            key,
            "accounts",
            [OpenAccount(customer_id=body.customer_id, currency=body.currency)],
            _each_or_problem(lambda ledger: _account_view(ledger.accounts[account_id]), HTTPStatus.CREATED),
        )

    @router.get("/accounts", tags=["accounts"])
    def list_accounts(
        who: Reader,
        customer_id: Id | None = None,
        cursor: Id | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LENGTH_MAX)] = 100,
    ) -> dict[str, Any]:
        """Accounts by id, a page at a time."""
        return queries.list_accounts(engine, customer_id=customer_id, after=cursor, limit=limit)

    @router.get("/accounts/{account_id}", tags=["accounts"])
    def get_account(account_id: Id, who: Reader) -> dict[str, Any]:
        """An account with its balances: posted, held, and what is available."""
        return _found(queries.find_account(engine, account_id))

    @router.get("/accounts/{account_id}/statement", tags=["accounts"])
    def get_statement(
        account_id: Id,
        who: Reader,
        after: Annotated[int, Query(ge=0, description="the number of the last entry already seen")] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_LENGTH_MAX)] = 100,
    ) -> dict[str, Any]:
        """An account's entries in order, with the balance after each."""
        return _found(queries.statement(engine, account_id, after=after, limit=limit))

    @router.post("/accounts/{account_id}/freeze", tags=["accounts"])
    async def freeze(request: Request, account_id: Id, who: Writer, key: IdempotencyKey) -> Response:
        """Let an account neither pay nor receive."""
        return await change_status(request, who, key, Freeze(account_id=account_id))

    @router.post("/accounts/{account_id}/thaw", tags=["accounts"])
    async def thaw(request: Request, account_id: Id, who: Writer, key: IdempotencyKey) -> Response:
        """Let a frozen account pay and receive again."""
        return await change_status(request, who, key, Thaw(account_id=account_id))

    @router.post("/accounts/{account_id}/close", tags=["accounts"])
    async def close(request: Request, account_id: Id, who: Writer, key: IdempotencyKey) -> Response:
        """Close an account that holds nothing."""
        return await change_status(request, who, key, Close(account_id=account_id))

    async def change_status(request: Request, who: Caller, key: str, command: Freeze | Thaw | Close) -> Response:
        route = f"accounts/{command.account_id}/{type(command).__name__.lower()}"
        answer = _each_or_problem(lambda ledger: _account_view(ledger.accounts[command.account_id]), HTTPStatus.OK)
        return await carry_out(request, who, key, route, [command], answer)

    @router.post("/fundings", status_code=HTTPStatus.CREATED, tags=["fundings"])
    async def fund(request: Request, who: Writer, key: IdempotencyKey, body: Funding) -> Response:
        """Credit an account with money that came in from outside."""
        command = _fund(body)
        return await carry_out(
            request,
            who,
            key,
            "fundings",
            [command],
            _each_or_problem(lambda _: _funding_view(command), HTTPStatus.CREATED),
        )

    @router.post("/funding-batches", tags=["fundings"])
    async def fund_many(request: Request, who: Writer, key: IdempotencyKey, body: Fundings) -> Response:
        """Up to a thousand fundings at once, each carried out or refused on its own."""
        commands = [_fund(funding) for funding in body.fundings]

        def answer(_: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
            results = [
                _funding_view(command) if refusal is None else _refused_view(refusal)
                for command, refusal in zip(commands, refusals, strict=True)
            ]
            return answer_json(HTTPStatus.OK, {"fundings": results})

        return await carry_out(request, who, key, "funding-batches", commands, answer)

    @router.get("/books", tags=["books"])
    def get_books(who: Annotated[Caller, caller(Scope.STAFF)]) -> dict[str, Any]:
        """Whether the books balance: everything recomputed from the entries."""
        return queries.check_books(engine)

    return [router]


def _register(body: NewCustomer) -> RegisterCustomer:
    return RegisterCustomer(
        customer_id=ids.new(),
        kind=body.kind,
        personal=CustomerPersonalData(
            name=body.name, country=body.country, birth_date=body.birth_date, address=body.address
        ),
        currencies=tuple(dict.fromkeys(body.currencies)),
    )


def _fund(body: Funding) -> Fund:
    return Fund(
        transfer_id=ids.new(),
        account_id=body.account_id,
        amount_minor=body.amount_minor,
        currency=body.currency,
        reference=body.reference,
        effective_at=body.effective_at,
    )


def _each_or_problem(view: Any, status: HTTPStatus) -> Any:
    """The answer to a single command: what it led to, or why it was refused."""

    def answer(ledger: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is None:
            return answer_json(status, view(ledger))
        is_missing = refusal.reason in _NOT_FOUND
        return answer_problem(
            Problem(
                HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.CONFLICT,
                refusal.reason,
                refusal.detail,
                field=refusal.field,
            )
        )

    return answer


def _customer_view(command: RegisterCustomer) -> dict[str, Any]:
    return {
        "customer_id": command.customer_id,
        "status": "registered",
        "accounts": [
            {"account_id": account_id_of(command.customer_id, currency), "currency": currency}
            for currency in command.currencies
        ],
    }


def _account_view(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "customer_id": account.customer_id,
        "currency": account.currency,
        "status": account.status.value,
        "posted": format_amount(account.posted_minor, account.currency),
        "held": format_amount(account.held_minor, account.currency),
        "available": format_amount(account.available_minor, account.currency),
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


def _found(result: dict[str, Any] | None) -> dict[str, Any]:
    if result is None:
        raise Problem(HTTPStatus.NOT_FOUND, "not_found", "there is none with this id")
    return result
