"""The HTTP API of the travel rule, for staff: what is asked, what is missing, and messages (IVMS101) out and in."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from libs.common.answers import OK, answer_one, found
from libs.common.change import Asked
from libs.common.fields import CARD_NUMBER_FAULT, Id, View
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import looks
from services.compliance import travel_queries as asked_of
from services.compliance.domain.audit import CLIENT, ObjectKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.travel import TellDetails, TravelRefusal
from services.compliance.settings import ComplianceSettings
from services.compliance.travel.ivms101 import IvmsFault
from services.compliance.travel.messages import has_card_number, read_message
from services.compliance.travel.rules import Assets, Datum, HeldBy

_MESSAGE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "description": "an IVMS101 message of 2020 or 2023"},
                "example": {
                    "originator": {
                        "originatorPersons": [
                            {
                                "naturalPerson": {
                                    "name": [
                                        {
                                            "primaryIdentifier": "Smith",
                                            "secondaryIdentifier": "John",
                                            "nameIdentifierType": "LEGL",
                                        }
                                    ],
                                    "dateAndPlaceOfBirth": {"dateOfBirth": "1980-02-03", "placeOfBirth": "Ghent"},
                                }
                            }
                        ],
                        "accountNumber": ["BE68539007547034"],
                    },
                    "beneficiary": {
                        "beneficiaryPersons": [
                            {
                                "legalPerson": {
                                    "name": [{"legalPersonName": "Acme Corp", "legalPersonNameIdentifierType": "LEGL"}]
                                }
                            }
                        ]
                    },
                },
            }
        },
    }
}


class TravelRuleView(View):
    """What is asked of which payments, and where that is written."""

    rule: str
    jurisdiction: str
    assets: Assets
    held_by: HeldBy
    outside: list[str]
    at_least: str | None
    above: str | None
    currency: str | None
    applies_from: date
    applies_until: date | None
    debtor: list[Datum]
    creditor: list[Datum]
    source: str


class TravelRulesView(View):
    rules: list[TravelRuleView]


class SideView(View):
    """A party: who holds its account, if not we do, and what is known of it."""

    institution: str | None
    is_self_hosted: bool
    known: dict[str, str | None]


class TellingView(View):
    """Who told something after the order, and about what."""

    by: str
    at: datetime
    fields: list[str]


class TravelRecordView(View):
    """A payment that rules ask about."""

    payment_id: str
    rules: list[TravelRuleView]
    missing: list[str]
    debtor: SideView
    creditor: SideView
    tellings: list[TellingView]
    has_message: bool


class TakenView(View):
    """What a message has told of a payment's parties: about which fields, and what is missing still."""

    payment_id: str
    missing: list[str]
    tellings: list[TellingView]


class MessageView(View):
    """An IVMS101 message."""

    originator: dict[str, Any]
    beneficiary: dict[str, Any]
    originatingVASP: dict[str, Any] | None = None  # noqa: N815 - the standard's own names
    beneficiaryVASP: dict[str, Any] | None = None  # noqa: N815
    payloadMetadata: dict[str, Any] | None = None  # noqa: N815


def router(runtime: Runtime) -> APIRouter:
    """The routes under /v1/travel-rule."""
    ask = TravelRoutes(runtime)
    routes = APIRouter(prefix="/v1/travel-rule", tags=["travel rule"])
    one = "/payments/{payment_id}"
    rules = looks.shown(runtime, ObjectKind.TRAVEL_RULES)
    record = looks.shown(runtime, ObjectKind.PAYMENT)
    message = looks.shown(runtime, ObjectKind.PAYMENT, lambda _: "message")
    routes.get("/rules", responses=reading() | answering(OK, TravelRulesView))(rules(ask.list_rules))
    routes.get(one, responses=reading(HTTPStatus.NOT_FOUND) | answering(OK, TravelRecordView))(record(ask.get_record))
    routes.get(
        f"{one}/message", responses=reading(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT) | answering(OK, MessageView)
    )(message(ask.get_message))
    routes.post(
        f"{one}/message",
        openapi_extra=_MESSAGE,
        responses=changing(HTTPStatus.NOT_FOUND) | answering(OK, TakenView),
    )(ask.take_message)
    return routes


class TravelRoutes:
    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, ComplianceSettings)
        self._edge = runtime.edge
        self._engine = runtime.engine
        self._policy = runtime.settings.policy

    def list_rules(self, who: Who) -> dict[str, Any]:
        """The rules of the jurisdictions that the house is in."""
        return {"rules": [asked_of.rule_view(rule) for rule in self._policy.travel.rules]}

    def get_record(self, payment_id: Id, who: Who) -> dict[str, Any]:
        """What rules ask about a payment, what is known of its parties, and what is missing."""
        record = found(asked_of.find_record(self._engine, payment_id), "payment_id")
        return asked_of.record_view(record, self._policy.travel)

    def get_message(self, payment_id: Id, who: Who) -> Response:
        """The IVMS101 message that goes with a payment."""
        record = found(asked_of.find_record(self._engine, payment_id), "payment_id")
        try:
            return Response(asked_of.written_message(self._engine, record, self._policy), media_type="application/json")
        except IvmsFault as fault:
            raise Problem(HTTPStatus.CONFLICT, "message_incomplete", str(fault), field=fault.field) from fault

    async def take_message(self, asked: Asked, payment_id: Id, request: Request) -> Response:
        """Take what an IVMS101 message tells about the parties of a payment that comes in."""
        content = await request.body()
        if has_card_number(content):
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "card_number", CARD_NUMBER_FAULT, field="body")
        record = found(asked_of.find_record(self._engine, payment_id), "payment_id")
        try:
            told = read_message(content, record, day_of(datetime.now(UTC)))
        except IvmsFault as fault:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_message", fault.detail, field=fault.field
            ) from fault
        command = TellDetails(
            payment_id=payment_id,
            by=asked.who.client.client_id,
            role=CLIENT,
            debtor=told.debtor,
            creditor=told.creditor,
            message=content.decode(),
        )
        answer = answer_one(
            OK,
            lambda work: msgspec.to_builtins(asked_of.taken_view(work.travel[payment_id], self._policy.travel)),
            unknown=(TravelRefusal.PAYMENT_UNKNOWN,),
        )
        return await asked.carry_out(self._edge, f"travel-rule/{payment_id}", [command], answer)
