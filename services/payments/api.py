"""The HTTP API of payments: order one, order a file of them, follow them, withdraw, capture or refund them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from libs.common import ids
from libs.common.batch import Refusal, refusal
from libs.common.change import Asked
from libs.common.clients import Client
from libs.common.edge import Busy, Respond
from libs.common.fields import Filters, Id, Instant
from libs.common.http import Who, answer_for_now, answer_json, answer_problem
from libs.common.idempotency import Answer
from libs.common.money import format_amount
from libs.common.openapi import Responses, answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.payments import queries, uploads
from services.payments.domain import quotas
from services.payments.domain.captures import CapturePayment
from services.payments.domain.intake import CancelPayment, InitiatePayment
from services.payments.domain.payment import ENDS, Payment, Payments
from services.payments.domain.quota import PAYMENTS
from services.payments.domain.refund import Refund
from services.payments.domain.refunds import RequestRefund
from services.payments.domain.refusals import QUOTA_REASONS, RefusalReason
from services.payments.intake_gate import IntakeGate
from services.payments.requests import DataBody, NewPayment, PartBody
from services.payments.settings import PaymentsSettings
from services.payments.views import PaymentPage, PaymentView, RefundList, RefundView, StaffPaymentView

PAGE_LENGTH_MAX = 500

_PUBLIC_STATES = (queries.PublicState.PROCESSING, *sorted(ENDS))
_STATUS_BY_REASON = {
    RefusalReason.SAME_ACCOUNT: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.DEBTOR_ACCOUNT_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.CREDITOR_ACCOUNT_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.CURRENCY_NOT_HELD: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.PAYMENT_UNKNOWN: HTTPStatus.NOT_FOUND,
    RefusalReason.AMOUNT_INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.AMOUNT_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
}
_TAKEN_ON = answering(HTTPStatus.ACCEPTED, PaymentView, "Taken on; follow it by its id.")
_WITHDRAWN = answering(
    HTTPStatus.ACCEPTED, PaymentView, "Withdrawn, or about to be as soon as that is certain to be right."
)
_CAPTURED = answering(HTTPStatus.ACCEPTED, PaymentView, "Captured; follow it by its id.")
_SUPPLIED = answering(HTTPStatus.ACCEPTED, PaymentView, "Taken into the order; it goes on once nothing is missing.")
_REFUNDED = answering(HTTPStatus.ACCEPTED, RefundView, "Requested; follow it with its payment.")


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1: the table of contents."""
    settings = runtime.settings
    assert isinstance(settings, PaymentsSettings)
    gate = IntakeGate(lambda: queries.count_in_flight(runtime.engine, settings.in_flight_max), settings.in_flight_max)
    ask = PaymentRoutes(runtime, gate)
    payments = APIRouter(prefix="/v1/payments", tags=["payments"])
    payments.post("", status_code=HTTPStatus.ACCEPTED, responses=changing() | _TAKEN_ON)(ask.order_payment)
    payments.get("", responses=reading() | answering(HTTPStatus.OK, PaymentPage))(ask.list_payments)
    one: Responses = {
        200: {"model": StaffPaymentView | PaymentView, "description": "As staff, or its client, sees it."}
    }
    payments.get("/{payment_id}", responses=reading(HTTPStatus.NOT_FOUND) | one)(ask.get_payment)
    payments.post(
        "/{payment_id}/cancel",
        status_code=HTTPStatus.ACCEPTED,
        responses=changing(HTTPStatus.NOT_FOUND) | _WITHDRAWN,
    )(ask.cancel_payment)
    payments.post(
        "/{payment_id}/capture",
        status_code=HTTPStatus.ACCEPTED,
        responses=changing(HTTPStatus.NOT_FOUND) | _CAPTURED,
    )(ask.capture_payment)
    payments.post(
        "/{payment_id}/party-data",
        status_code=HTTPStatus.ACCEPTED,
        responses=changing(HTTPStatus.NOT_FOUND) | _SUPPLIED,
    )(ask.supply_data)
    payments.post(
        "/{payment_id}/refunds",
        status_code=HTTPStatus.ACCEPTED,
        responses=changing(HTTPStatus.NOT_FOUND) | _REFUNDED,
    )(ask.refund_payment)
    payments.get(
        "/{payment_id}/refunds", responses=reading(HTTPStatus.NOT_FOUND) | answering(HTTPStatus.OK, RefundList)
    )(ask.list_refunds)
    return [payments, uploads.routes(runtime, gate)]


class PaymentFilters(Filters):
    """Which payments to list."""

    state: str | None = Field(None, description=f"{', '.join(_PUBLIC_STATES)}; for staff also the states before")
    debtor_account_id: Id | None = None
    batch_id: Id | None = None
    initiated_from: Instant | None = Field(None, description="this instant or later")
    initiated_before: Instant | None = None
    cursor: Id | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class PaymentRoutes:
    """What can be asked about payments."""

    def __init__(self, runtime: Runtime, gate: IntakeGate) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._gate = gate

    async def order_payment(self, asked: Asked, body: NewPayment) -> Response:
        """Order a payment. It is taken on at once and decided soon; follow it by its id."""
        try:
            await self._gate.admit(1)
        except Busy:
            # Same request, same answer: one that was taken on before takes up no room.
            known = await asked.recall(self._edge, "payments")
            if known is None:
                raise
            return known
        payment_id, client = ids.new(), asked.who.client
        command = body.command(payment_id, client)
        about = _answer_about(payment_id, is_staff=client.is_staff)
        return await asked.carry_out(self._edge, "payments", [command], _within_quotas(command, about))

    def get_payment(self, payment_id: Id, who: Who) -> dict[str, Any]:
        """A payment with its timeline: what payments itself saw, in order."""
        payment, refunds = self._find_own(payment_id, who.client)
        return queries.payment_view(payment, refunds, is_staff=who.client.is_staff, now=datetime.now(UTC))

    def list_payments(self, who: Who, filters: Annotated[PaymentFilters, Query()]) -> dict[str, Any]:
        """Payments, newest first, a page at a time. Clients see their own, staff all."""
        return queries.list_payments(
            self._engine,
            client_id=who.client.tenant_id,
            is_staff=who.client.is_staff,
            states=_states(filters.state, is_staff=who.client.is_staff),
            debtor_account_id=filters.debtor_account_id,
            batch_id=filters.batch_id,
            initiated_from=filters.initiated_from,
            initiated_before=filters.initiated_before,
            before=filters.cursor,
            limit=filters.limit,
        )

    async def cancel_payment(self, asked: Asked, payment_id: Id) -> Response:
        """Withdraw a payment while that is possible: until it is approved or captured."""
        client = asked.who.client
        command = CancelPayment(payment_id=payment_id, client_id=client.tenant_id)
        answer = _answer_about(payment_id, is_staff=client.is_staff)
        return await asked.carry_out(self._edge, f"payments/{payment_id}/cancel", [command], answer)

    async def capture_payment(self, asked: Asked, payment_id: Id, body: PartBody | None = None) -> Response:
        """Take the money of an authorised payment, all or part of it, once; the rest goes back to the payer."""
        client = asked.who.client
        command = CapturePayment(
            payment_id=payment_id,
            client_id=client.tenant_id,
            amount=body.amount if body is not None else None,
        )
        answer = _answer_about(payment_id, is_staff=client.is_staff)
        return await asked.carry_out(self._edge, f"payments/{payment_id}/capture", [command], answer)

    async def supply_data(self, asked: Asked, payment_id: Id, body: DataBody) -> Response:
        """Tell what `missing` names about the parties of a payment: it waits until all of that is there."""
        client = asked.who.client
        command = body.command(payment_id, client.tenant_id)
        answer = _answer_about(payment_id, is_staff=client.is_staff)
        return await asked.carry_out(self._edge, f"payments/{payment_id}/party-data", [command], answer)

    async def refund_payment(self, asked: Asked, payment_id: Id, body: PartBody | None = None) -> Response:
        """Give back money of a settled payment: all that is left of it, or part. Its fee is not given back."""
        refund_id, client = ids.new(), asked.who.client
        command = RequestRefund(
            refund_id=refund_id,
            payment_id=payment_id,
            client_id=client.tenant_id,
            amount=body.amount if body is not None else None,
        )
        answer = _answer_with(
            lambda payments: queries.refund_view(payments.refunds[refund_id], payments[payment_id].order.currency)
        )
        return await asked.carry_out(self._edge, f"payments/{payment_id}/refunds", [command], answer)

    def list_refunds(self, payment_id: Id, who: Who) -> dict[str, Any]:
        """The refunds of a payment, the oldest first, and what became of each."""
        payment, refunds = self._find_own(payment_id, who.client)
        return {"refunds": [queries.refund_view(refund, payment.order.currency) for refund in refunds]}

    def _find_own(self, payment_id: str, client: Client) -> tuple[Payment, Sequence[Refund]]:
        found = queries.find_payment(self._engine, payment_id)
        if found is None or not (client.is_staff or found[0].order.client_id == client.client_id):
            raise _problem(refusal(RefusalReason.PAYMENT_UNKNOWN, "payment_id"))
        return found


def _answer_about(payment_id: str, *, is_staff: bool) -> Respond:
    """The answer to a single command: the payment as it now is, which has no refunds yet, or why it was refused."""
    return _answer_with(
        lambda payments: queries.payment_view(payments[payment_id], is_staff=is_staff, now=datetime.now(UTC))
    )


def _within_quotas(command: InitiatePayment, about: Respond) -> Respond:
    """The answer to an order; what is beyond a quota is answered for the day, and may be ordered again another."""

    def answer(payments: Payments, refusals: Sequence[Refusal | None]) -> Answer:
        (why_not,) = refusals
        if why_not is None or why_not.reason not in QUOTA_REASONS:
            return about(payments, refusals)
        now = datetime.now(UTC)
        measure = PAYMENTS if why_not.reason == RefusalReason.PAYMENT_QUOTA_EXCEEDED else command.currency
        quota, most = quotas.find(payments, command.client_id, measure, now.date())
        seconds, left = quotas.seconds_until_renewed(now), (most or 0) - quota.used_by(now.date())
        problem = Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            why_not.reason,
            f"{why_not.detail}: {_in_words(most or 0, measure)} a day, of which {_in_words(left, measure)} are left",
            field=why_not.field,
            retry_after_seconds=seconds,
            headers={
                "RateLimit-Policy": f'"{measure.lower()}-per-day";q={most};w=86400',
                "RateLimit": f'"{measure.lower()}-per-day";r={max(0, left)};t={seconds}',
            },
        )
        return answer_for_now(problem)

    return answer


def _in_words(count: int, measure: str) -> str:
    return f"{count} payments" if measure == PAYMENTS else f"{format_amount(count, measure)} {measure}"


def _answer_with(view: Callable[[Payments], dict[str, Any]]) -> Respond:
    """The answer to a single command: what there is now, or why it was refused."""

    def answer(payments: Payments, refusals: Sequence[Refusal | None]) -> Answer:
        (why_not,) = refusals
        if why_not is not None:
            return answer_problem(_problem(why_not))
        return answer_json(HTTPStatus.ACCEPTED, view(payments))

    return answer


def _states(name: str | None, *, is_staff: bool) -> list[str] | None:
    if name is None:
        return None
    states = queries.states_named(name, is_staff=is_staff)
    if states is None:
        words = f"must be one of {', '.join(_PUBLIC_STATES)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", words, field="state")
    return states


def _problem(why_not: Refusal) -> Problem:
    status = _STATUS_BY_REASON.get(RefusalReason(why_not.reason), HTTPStatus.CONFLICT)
    return Problem(status, why_not.reason, why_not.detail, field=why_not.field)
