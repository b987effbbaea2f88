"""What payments turned out to be, as it is reported."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from libs.common.answers import OK, refused_view
from libs.common.batch import Refusal
from libs.common.change import Asked
from libs.common.http import answer_json
from libs.common.idempotency import Answer
from libs.common.openapi import answering, changing
from libs.common.service import Runtime
from services.fraud.domain.labelling import LabelPayment
from services.fraud.requests import NewLabel, NewLabels
from services.fraud.views.labels import LabelsView

BYTES_MAX = 512 * 1024


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the route."""
    edge = runtime.edge

    async def label_payments(asked: Asked, body: NewLabels) -> Response:
        """Report what up to a thousand payments turned out to be. A second report corrects the first.

        For staff: labels decide what payments of others are judged by, and what models learn.
        """
        commands = [
            LabelPayment(payment_id=label.payment_id, label=label.label, scenario=label.scenario)
            for label in body.labels
        ]

        def answer(_: Any, refusals: Sequence[Refusal | None]) -> Answer:
            results = [_result(label, refusal) for label, refusal in zip(body.labels, refusals, strict=True)]
            return answer_json(OK, {"labels": results})

        return await asked.carry_out(edge, "labels", commands, answer)

    router.post("/labels", tags=["labels"], responses=changing() | answering(OK, LabelsView))(label_payments)


def _result(label: NewLabel, refusal: Refusal | None) -> dict[str, Any]:
    if refusal is None:
        return {"payment_id": label.payment_id, "status": "labelled", "label": label.label.value}
    return {"payment_id": label.payment_id, **refused_view(refusal)}
