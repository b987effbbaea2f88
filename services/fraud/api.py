"""The HTTP API of fraud: labels in; assessments, and how the rules did, out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.clients import Scope
from libs.common.fields import Body, Id, text
from libs.common.http import Caller, IdempotencyKey, Problem, answer_json, caller, request_key, respond
from libs.common.idempotency import Answer
from libs.common.message import Message
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from schemas.fraud.events import Label
from services.fraud import queries, rulebooks
from services.fraud.domain.labelling import LabelPayment
from services.fraud.views import AssessmentView, LabelsView, RulesView

LABELS_MAX = 1_000
LABELS_PATH = "/v1/labels"
LABELS_BYTES_MAX = 512 * 1024

Writer = Annotated[Caller, caller(Scope.WRITE)]
Staff = Annotated[Caller, caller(Scope.STAFF)]


class NewLabel(Body):
    """What a payment turned out to be."""

    payment_id: Id
    label: Literal[Label.FRAUD, Label.GENUINE]
    scenario: Annotated[str, text(100)] | None = None


class NewLabels(Body):
    labels: Annotated[list[NewLabel], Field(min_length=1, max_length=LABELS_MAX)]


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1."""
    router = APIRouter(prefix="/v1")
    edge, engine = runtime.edge, runtime.engine

    taken = answering(HTTPStatus.OK, LabelsView)
    found_one, found_all = answering(HTTPStatus.OK, AssessmentView), answering(HTTPStatus.OK, RulesView)

    @router.post("/labels", tags=["labels"], responses=changing() | taken)
    async def label_payments(request: Request, who: Writer, key: IdempotencyKey, body: NewLabels) -> Response:
        """Report what up to a thousand payments turned out to be. A second report corrects the first."""
        messages = [
            Message(message_id=ids.new(), body=_command(label), received_at=datetime.now(UTC), trace=who.trace)
            for label in body.labels
        ]

        def answer(_: Any, refusals: Sequence[Refusal | None]) -> Answer:
            results = [_result(label, refusal) for label, refusal in zip(body.labels, refusals, strict=True)]
            return answer_json(HTTPStatus.OK, {"labels": results})

        return respond(await edge.submit(request_key(who, "labels", key), await request.body(), messages, answer))

    @router.get("/assessments/{payment_id}", tags=["assessments"], responses=reading(HTTPStatus.NOT_FOUND) | found_one)
    def get_assessment(payment_id: Id, who: Staff) -> dict[str, Any]:
        """Why a payment was found suspicious or not, and what it turned out to be."""
        found = queries.find_assessment(engine, payment_id)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", "there is none with this id", field="payment_id")
        return found

    @router.get("/rules", tags=["rules"], responses=reading() | found_all)
    def get_rules(
        who: Staff,
        version: Annotated[str | None, Query(description="of the rules; the present one if not given")] = None,
    ) -> dict[str, Any]:
        """Each rule, what it means, how often it fired, and what its payments turned out to be."""
        return queries.rules_view(engine, rulebooks.shipped(), version)

    return [router]


def _command(label: NewLabel) -> LabelPayment:
    return LabelPayment(payment_id=label.payment_id, label=label.label, scenario=label.scenario)


def _result(label: NewLabel, refusal: Refusal | None) -> dict[str, Any]:
    if refusal is None:
        return {"payment_id": label.payment_id, "status": "labelled", "label": label.label.value}
    return {
        "payment_id": label.payment_id,
        "status": "refused",
        "reason": refusal.reason,
        "detail": refusal.detail,
        "field": refusal.field,
    }
