"""What can be asked about payments: fraud's answer before one is made, and why an answer was given."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from libs.common import ids
from libs.common.answers import CREATED, NOT_FOUND, OK, answer_one, found
from libs.common.change import Asked
from libs.common.fields import Id
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from services.fraud.domain.assessing import AssessPayment
from services.fraud.domain.knowledge import Knowledge
from services.fraud.queries import assessments
from services.fraud.requests import NewAssessment
from services.fraud.views.assessments import AdviceView, AssessmentView


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = AssessmentRoutes(runtime)
    tags: list[Any] = ["assessments"]
    made, one = answering(CREATED, AdviceView), answering(OK, AssessmentView)
    router.post("/assessments", tags=tags, status_code=CREATED, responses=changing() | made)(ask.assess)
    router.get("/assessments/{payment_id}", tags=tags, responses=reading(NOT_FOUND) | one)(ask.get_assessment)


class AssessmentRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._edge = runtime.edge
        self._engine = runtime.engine

    async def assess(self, asked: Asked, body: NewAssessment) -> Response:
        """Have a payment judged before it is made, by its parties' past, of which it does not become part.

        For staff: whoever else could ask would learn how far they may go. Made later, the payment is judged for itself.
        """
        client_id = asked.who.client.client_id
        payment_id = ids.named("fraud", "assessment", client_id, asked.key)
        command = AssessPayment(payment_id=payment_id, order=body.order(client_id))
        answer = answer_one(CREATED, _advice(payment_id))
        return await asked.carry_out(self._edge, "assessments", [command], answer)

    def get_assessment(self, payment_id: Id, who: Who) -> dict[str, Any]:
        """Why a payment was found suspicious or not: findings, features, the model's contributions; and what it turned
        out to be."""
        return found(assessments.find_assessment(self._engine, payment_id), "payment_id")


def _advice(payment_id: str) -> Callable[[Knowledge], dict[str, Any]]:
    def view(knowledge: Knowledge) -> dict[str, Any]:
        assessment = knowledge.assessments[payment_id]
        return {
            "payment_id": payment_id,
            "outcome": assessment.outcome.value,
            "assessed_at": assessment.assessed_at,
            "grounds": assessments.grounds_view(assessment),
        }

    return view
