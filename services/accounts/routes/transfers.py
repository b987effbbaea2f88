"""Money moved by request: fundings, transfers one by one or linked, conversions, reversals."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from libs.common.answers import CREATED, NOT_FOUND, OK, PAGE_LENGTH_MAX, found
from libs.common.change import Asked
from libs.common.fields import Filters, Id, text
from libs.common.http import Who
from libs.common.money import format_amount
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.domain.ledger import Ledger
from services.accounts.domain.transfers import (
    Book,
    Booking,
    Convert,
    Fund,
    conversion,
    reversal_id,
)
from services.accounts.queries import lists
from services.accounts.requests import Funding, Fundings, NewConversion, NewTransfer, NewTransfers, Reversal
from services.accounts.routes.answers import answer_each, answer_one, is_visible
from services.accounts.views import (
    BookedBatchView,
    BookedView,
    ConversionView,
    FundingBatchView,
    FundingView,
    ReversalView,
    TransferPage,
    TransferView,
)


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = TransferRoutes(runtime)
    change = changing(NOT_FOUND)
    tags: list[Any] = ["fundings"]
    made, many = answering(CREATED, FundingView), answering(OK, FundingBatchView)
    router.post("/fundings", tags=tags, status_code=CREATED, responses=changing() | made)(ask.fund)
    router.post("/funding-batches", tags=tags, responses=changing() | many)(ask.fund_many)
    tags = ["transfers"]
    booked, batch = answering(CREATED, BookedView), answering(OK, BookedBatchView)
    router.post("/transfers", tags=tags, status_code=CREATED, responses=changing() | booked)(ask.book)
    router.post("/transfer-batches", tags=tags, responses=changing() | batch)(ask.book_many)
    converted, reversed_ = answering(CREATED, ConversionView), answering(CREATED, ReversalView)
    router.post("/conversions", tags=tags, status_code=CREATED, responses=changing() | converted)(ask.convert)
    router.get("/transfers", tags=tags, responses=reading() | answering(OK, TransferPage))(ask.list_transfers)
    path = "/transfers/{transfer_id}"
    router.get(path, tags=tags, responses=reading(NOT_FOUND) | answering(OK, TransferView))(ask.get_transfer)
    router.post(f"{path}/reverse", tags=tags, status_code=CREATED, responses=change | reversed_)(ask.reverse)


class TransferFilters(Filters):
    """Which transfers to list."""

    reference: Annotated[str, text()] | None = Field(None, description="to the letter")
    link_id: Id | None = Field(None, description="what they share that were made together, all or none")
    account_id: Id | None = Field(None, validate_default=True, description="either side's")
    cursor: Id | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)

    @field_validator("account_id")
    @classmethod
    def _about_something(cls, account_id: str | None, info: ValidationInfo) -> str | None:
        # One that makes no sense is not in there, and told of by itself.
        if account_id is None and all(info.data.get(name, "") is None for name in ("reference", "link_id")):
            raise PydanticCustomError("missing", "one of account_id, reference and link_id is needed")
        return account_id


class TransferRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def fund(self, asked: Asked, body: Funding) -> Response:
        """Credit an account with money that came in from outside."""
        command = body.command(asked.who.client.tenant_id)
        return await asked.carry_out(self._edge, "fundings", [command], answer_one(CREATED, _funded(command)))

    async def fund_many(self, asked: Asked, body: Fundings) -> Response:
        """Up to a thousand fundings at once, each carried out or refused on its own."""
        commands = [funding.command(asked.who.client.tenant_id) for funding in body.fundings]
        answer = answer_each("fundings", [_funded(command) for command in commands])
        return await asked.carry_out(self._edge, "funding-batches", commands, answer)

    async def book(self, asked: Asked, body: NewTransfer) -> Response:
        """Move money from one account to another. Staff may name accounts of the house."""
        booking = body.booking()
        command = Book(bookings=(booking,), by_staff=asked.who.client.is_staff, tenant_id=asked.who.client.tenant_id)
        return await asked.carry_out(self._edge, "transfers", [command], answer_one(CREATED, _booked(booking)))

    async def book_many(self, asked: Asked, body: NewTransfers) -> Response:
        """Up to a thousand transfers at once: linked, so that all are made or none, or each on its own."""
        bookings = [transfer.booking() for transfer in body.transfers]
        by_staff, tenant_id = asked.who.client.is_staff, asked.who.client.tenant_id
        if not body.is_linked:
            commands = [Book(bookings=(booking,), by_staff=by_staff, tenant_id=tenant_id) for booking in bookings]
            answer = answer_each("transfers", [_booked(booking) for booking in bookings])
            return await asked.carry_out(self._edge, "transfer-batches", commands, answer)
        linked = Book(bookings=tuple(bookings), is_linked=True, by_staff=by_staff, tenant_id=tenant_id)
        views = [_booked(booking) for booking in bookings]
        answer = answer_one(OK, lambda ledger: {"transfers": [view(ledger) for view in views]})
        return await asked.carry_out(self._edge, "transfer-batches", [linked], answer)

    async def convert(self, asked: Asked, body: NewConversion) -> Response:
        """Change money into another currency at the rate given, rounded down to its minor unit."""
        command = body.command()
        return await asked.carry_out(
            self._edge, "conversions", [command], answer_one(CREATED, lambda _: _converted_view(command))
        )

    def list_transfers(self, who: Who, filters: Annotated[TransferFilters, Query()]) -> dict[str, Any]:
        """An account's transfers as they stand in its books, or those of a link in their order, a page at a time; for
        staff also all with a reference. A page may be short, or empty, and have a next one."""
        if not who.client.is_staff and filters.account_id is None and filters.link_id is None:
            words = "a reference alone is for staff: name an account or a link"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "missing", words, field="account_id")
        if filters.account_id is not None and not is_visible(self._engine, filters.account_id, who):
            return {"transfers": [], "next_cursor": None}
        try:
            return lists.list_transfers(
                self._engine,
                tenant_id=who.client.tenant_id,
                account_id=filters.account_id,
                reference=filters.reference,
                link_id=filters.link_id,
                after=filters.cursor,
                limit=filters.limit,
            )
        except lists.NoSuchPlace as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not_a_cursor", str(error), field="cursor") from error

    def get_transfer(self, transfer_id: Id, who: Who) -> dict[str, Any]:
        """A transfer as it was recorded, and the one that took it back if it was."""
        transfer = found(queries.find_transfer(self._engine, transfer_id), "transfer_id")
        parties = (transfer["debit_account_id"], transfer["credit_account_id"])
        is_shown = any(is_visible(self._engine, account_id, who) for account_id in parties)
        return found(transfer if is_shown else None, "transfer_id")

    async def reverse(self, asked: Asked, transfer_id: Id, body: Reversal | None = None) -> Response:
        """Take a transfer back by a further one, with those that were linked to it. What payments moved is refunded,
        and what an account of the house has a part in is for staff."""
        client = asked.who.client
        command = (body or Reversal()).command(transfer_id, client.tenant_id, by_staff=client.is_staff)
        view = {"transfer_id": reversal_id(transfer_id), "reversed_transfer_id": transfer_id}
        return await asked.carry_out(
            self._edge,
            f"transfers/{transfer_id}/reverse",
            [command],
            answer_one(CREATED, lambda _: view, in_path="transfer_id"),
        )


def _funded(command: Fund) -> Callable[[Ledger], dict[str, Any]]:
    return lambda _: {
        "transfer_id": command.transfer_id,
        "account_id": command.account_id,
        "amount": format_amount(command.amount_minor, command.currency),
        "currency": command.currency,
        "status": "posted",
    }


def _booked(booking: Booking) -> Callable[[Ledger], dict[str, Any]]:
    return lambda _: {
        "transfer_id": booking.transfer_id,
        "debit_account_id": booking.debit_account_id,
        "credit_account_id": booking.credit_account_id,
        "amount": format_amount(booking.amount_minor, booking.currency),
        "currency": booking.currency,
        "status": "posted",
    }


def _converted_view(command: Convert) -> dict[str, Any]:
    given = conversion(command.amount_minor, command.currency, command.credited_currency, command.rate)
    return {
        "transfer_id": command.transfer_id,
        "debited": format_amount(command.amount_minor, command.currency),
        "currency": command.currency,
        "credited": format_amount(given.credited_minor, command.credited_currency),
        "credited_currency": command.credited_currency,
        "rate": str(command.rate),
        "remainder_minor": f"{given.remainder:f}",
        "status": "posted",
    }
