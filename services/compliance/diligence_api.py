"""The HTTP API about customers, for staff: how far they are known, and documents that say who they are."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict

from libs.common import ids
from libs.common.answers import CREATED, OK, answer_one, found
from libs.common.change import Asked
from libs.common.fields import Body, Country, Id, PartialDate, View, text
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.service import Runtime
from schemas.accounts.events import CustomerKind
from services.compliance import diligence_queries as asked_of
from services.compliance import looks
from services.compliance.diligence.documents import Document, DocumentKind, DocumentStatus, RefusedBecause
from services.compliance.diligence.rating import Factor, RiskLevel
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.diligence import DiligenceRefusal, TakeDocument
from services.compliance.domain.work import CustomerStatus
from services.compliance.settings import ComplianceSettings


class NewDocument(Body):
    """What is on a document of a customer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "passport",
                    "number": "P1234567",
                    "country": "DE",
                    "name": "Ann Miller",
                    "birth_date": "1980-05-17",
                    "expires_on": "2030-01-31",
                }
            ]
        }
    )

    kind: DocumentKind
    number: Annotated[str, text(50)]
    country: Country
    name: Annotated[str, text()]
    birth_date: PartialDate | None = None
    expires_on: date | None = None

    @property
    def document(self) -> Document:
        return Document(**dict(self))


class FactorView(View):
    """Something that speaks for risk, and how strongly."""

    factor: Factor
    points: int


class RatingView(View):
    level: RiskLevel
    points: int
    factors: list[FactorView]


class DocumentView(View):
    """The last document that was handed in, and what became of it."""

    document_id: str
    kind: DocumentKind
    country: str
    expires_on: date | None
    status: DocumentStatus
    refused_because: RefusedBecause | None
    reference: str | None
    asked: int
    handed_by: str
    handed_at: datetime


class CustomerView(View):
    """How far a customer is known, and when people look at it again."""

    customer_id: str
    kind: CustomerKind
    status: CustomerStatus
    tier: int
    rating: RatingView | None
    review_on: date | None
    document: DocumentView | None


def router(runtime: Runtime) -> APIRouter:
    """The routes under /v1/customers."""
    ask = CustomerRoutes(runtime)
    routes = APIRouter(prefix="/v1/customers/{customer_id}", tags=["customers"])
    customer = looks.shown(runtime, ObjectKind.CUSTOMER)
    routes.get("", responses=reading(HTTPStatus.NOT_FOUND) | answering(OK, CustomerView))(customer(ask.get_customer))
    routes.post(
        "/documents",
        status_code=CREATED,
        responses=changing(HTTPStatus.NOT_FOUND) | answering(CREATED, CustomerView),
    )(ask.take_document)
    return routes


class CustomerRoutes:
    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, ComplianceSettings)
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._policy = runtime.settings.policy

    def get_customer(self, customer_id: Id, who: Who) -> dict[str, Any]:
        """How risky a customer is, how far it is verified, and when people look at it again."""
        customer = found(asked_of.find_customer(self._engine, customer_id), "customer_id")
        return asked_of.customer_view(customer, self._policy)

    async def take_document(self, asked: Asked, customer_id: Id, body: NewDocument) -> Response:
        """Hand in what is on a customer's document. It is checked soon; follow it with its customer."""
        command = TakeDocument(
            customer_id=customer_id, document_id=ids.new(), document=body.document, by=asked.who.client.client_id
        )
        answer = answer_one(
            CREATED,
            lambda work: asked_of.customer_view(work.customers[customer_id], self._policy),
            unknown=(DiligenceRefusal.CUSTOMER_UNKNOWN,),
            in_path="customer_id",
        )
        return await asked.carry_out(self._edge, f"customers/{customer_id}/documents", [command], answer)
