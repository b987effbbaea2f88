"""What can be asked about customers."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from libs.common.answers import CREATED, NOT_FOUND, OK, found
from libs.common.batch import Refusal
from libs.common.change import Asked
from libs.common.fields import Id
from libs.common.http import Who, answer_json
from libs.common.idempotency import Answer
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.domain.customers import CloseCustomer, RegisterCustomer, account_id_of
from services.accounts.domain.ledger import CustomerStatus, Ledger
from services.accounts.requests import NewCustomer, NewCustomers
from services.accounts.routes.answers import answer_one, limits_of
from services.accounts.views import ClosedCustomerView, CustomerView, RegisteredBatchView, RegisteredView


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = CustomerRoutes(runtime)
    made, one = answering(CREATED, RegisteredView), answering(OK, CustomerView)
    many, closed = answering(OK, RegisteredBatchView), answering(OK, ClosedCustomerView)
    tags: list[Any] = ["customers"]
    router.post("/customers", tags=tags, status_code=CREATED, responses=changing() | made)(ask.register_customer)
    router.post("/customer-batches", tags=tags, responses=changing() | many)(ask.register_customers)
    path = "/customers/{customer_id}"
    router.get(path, tags=tags, responses=reading(NOT_FOUND) | one)(ask.get_customer)
    router.post(f"{path}/close", tags=tags, responses=changing(NOT_FOUND) | closed)(ask.close_customer)


class CustomerRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._vault = runtime.vault
        self._limits = limits_of(runtime)

    async def register_customer(self, asked: Asked, body: NewCustomer) -> Response:
        """Register a customer. Its accounts are opened as soon as compliance has verified it."""
        command = body.command(asked.who.client.tenant_id)
        return await asked.carry_out(
            self._edge, "customers", [command], answer_one(CREATED, lambda _: _registered_view(command))
        )

    async def register_customers(self, asked: Asked, body: NewCustomers) -> Response:
        """Register up to a thousand customers at once."""
        commands = [customer.command(asked.who.client.tenant_id) for customer in body.customers]

        def answer(_: Ledger, __: Sequence[Refusal | None]) -> Answer:
            return answer_json(OK, {"customers": [_registered_view(command) for command in commands]})

        return await asked.carry_out(self._edge, "customer-batches", commands, answer)

    def get_customer(self, customer_id: Id, who: Who) -> dict[str, Any]:
        """A customer: how far it is verified, and its accounts."""
        customer = queries.find_customer(
            self._engine, self._vault, customer_id, tenant_id=who.client.tenant_id, limits=self._limits
        )
        return found(customer, "customer_id")

    async def close_customer(self, asked: Asked, customer_id: Id) -> Response:
        """Serve a customer no more. Its accounts must be closed before."""
        command = CloseCustomer(customer_id=customer_id, tenant_id=asked.who.client.tenant_id)
        view = {"customer_id": customer_id, "status": CustomerStatus.CLOSED.value}
        return await asked.carry_out(
            self._edge,
            f"customers/{customer_id}/close",
            [command],
            answer_one(OK, lambda _: view, in_path="customer_id"),
        )


def _registered_view(command: RegisterCustomer) -> dict[str, Any]:
    return {
        "customer_id": command.customer_id,
        "status": CustomerStatus.REGISTERED.value,
        "accounts": [
            {"account_id": account_id_of(command.customer_id, currency), "currency": currency}
            for currency in command.currencies
        ],
    }
