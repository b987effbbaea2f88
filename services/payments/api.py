"""The HTTP API of payments: order one, order a file of them, follow them, withdraw them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.fields import Id, Instant
from libs.common.http import Caller, IdempotencyKey, Problem, answer_json, answer_problem, request_key, respond
from libs.common.idempotency import Answer
from libs.common.message import Command, Message
from libs.common.service import Runtime
from services.payments import queries, uploads
from services.payments.domain.intake import CancelPayment, RefusalReason
from services.payments.domain.payment import ENDS, Payments
from services.payments.intake_gate import IntakeGate
from services.payments.requests import NewPayment, Reader, Writer
from services.payments.settings import PaymentsSettings

PAGE_LENGTH_MAX = 500

_STATUS_BY_REASON = {
    RefusalReason.SAME_ACCOUNT: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.DEBTOR_ACCOUNT_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.CREDITOR_ACCOUNT_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.CURRENCY_NOT_HELD: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.PAYMENT_UNKNOWN: HTTPStatus.NOT_FOUND,
}


_PUBLIC_STATES = (queries.PublicState.PROCESSING, *sorted(ENDS))


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1."""
    settings = runtime.settings
    assert isinstance(settings, PaymentsSettings)
    router = APIRouter(prefix="/v1", tags=["payments"])
    edge, engine = runtime.edge, runtime.engine
    gate = IntakeGate(lambda: queries.count_in_flight(engine, settings.in_flight_max), settings.in_flight_max)

    async def carry_out(
        request: Request, who: Caller, key: str, route: str, command: Command, payment_id: str
    ) -> Response:
        def answer(payments: Payments, refusals: Sequence[Refusal | None]) -> Answer:
            (refusal,) = refusals
            if refusal is not None:
                return answer_problem(_problem(refusal))
            view = queries.payment_view(payments[payment_id], is_staff=who.client.is_staff)
            return answer_json(HTTPStatus.ACCEPTED, view)

        message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=who.trace)
        return respond(await edge.submit(request_key(who, route, key), await request.body(), [message], answer))

    @router.post("/payments", status_code=HTTPStatus.ACCEPTED)
    async def order_payment(request: Request, who: Writer, key: IdempotencyKey, body: NewPayment) -> Response:
        """Order a payment. It is taken on at once and decided soon; follow it by its id."""
        await gate.admit(1)
        payment_id = ids.new()
        command = body.command(payment_id, who.client.client_id)
        return await carry_out(request, who, key, "payments", command, payment_id)

    @router.get("/payments/{payment_id}")
    def get_payment(payment_id: Id, who: Reader) -> dict[str, Any]:
        """A payment with its timeline: what payments itself saw, in order."""
        payment = queries.find_payment(engine, payment_id)
        if payment is None or not (who.client.is_staff or payment.order.client_id == who.client.client_id):
            raise _problem(Refusal(reason=RefusalReason.PAYMENT_UNKNOWN, detail="payment unknown", field="payment_id"))
        return queries.payment_view(payment, is_staff=who.client.is_staff)

    @router.get("/payments")
    def list_payments(
        who: Reader,
        state: Annotated[str | None, Query(description=", ".join(_PUBLIC_STATES))] = None,
        debtor_account_id: Id | None = None,
        batch_id: Id | None = None,
        initiated_from: Instant | None = None,
        initiated_before: Instant | None = None,
        cursor: Id | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LENGTH_MAX)] = 100,
    ) -> dict[str, Any]:
        """Payments, newest first, a page at a time. Clients see their own, staff all."""
        states = None if state is None else queries.states_named(state, is_staff=who.client.is_staff)
        if state is not None and states is None:
            words = f"must be one of {', '.join(_PUBLIC_STATES)}"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", words, field="state")
        return queries.list_payments(
            engine,
            client_id=None if who.client.is_staff else who.client.client_id,
            is_staff=who.client.is_staff,
            states=states,
            debtor_account_id=debtor_account_id,
            batch_id=batch_id,
            initiated_from=initiated_from,
            initiated_before=initiated_before,
            before=cursor,
            limit=limit,
        )

    @router.post("/payments/{payment_id}/cancel", status_code=HTTPStatus.ACCEPTED)
    async def cancel_payment(request: Request, payment_id: Id, who: Writer, key: IdempotencyKey) -> Response:
        """Withdraw a payment while that is possible."""
        client_id = None if who.client.is_staff else who.client.client_id
        command = CancelPayment(payment_id=payment_id, client_id=client_id)
        return await carry_out(request, who, key, f"payments/{payment_id}/cancel", command, payment_id)

    router.include_router(uploads.routes(runtime, gate))
    return [router]


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS_BY_REASON.get(RefusalReason(refusal.reason), HTTPStatus.CONFLICT)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)
