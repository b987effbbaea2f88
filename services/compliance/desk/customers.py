"""A customer at the desk: who it is, how risky, what proves it, its cases; and documents that are handed in."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.fields import Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX, Answer
from libs.common.message import Trace
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import diligence_queries
from services.compliance.desk import forms, guard, render, views
from services.compliance.desk.country_words import country_in_words
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.desk.submitting import Submission, submit
from services.compliance.diligence.documents import Document, DocumentKind
from services.compliance.diligence.rating import Factor
from services.compliance.diligence_api import NewDocument
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.customers import numbers_of
from services.compliance.domain.diligence import DiligenceRefusal, HandInDocument
from services.compliance.domain.people import Permission
from services.compliance.domain.work import Customer, CustomerStatus, Policy, Work
from services.compliance.settings import ComplianceSettings

FIELDS_MAX = 20
_DOCUMENT_FIELDS = ("kind", "number", "country", "name", "birth_date", "expires_on")
KINDS = {
    DocumentKind.PASSPORT: "Passport",
    DocumentKind.IDENTITY_CARD: "Identity card",
    DocumentKind.DRIVING_LICENCE: "Driving licence",
    DocumentKind.REGISTER_EXTRACT: "Extract from a register",
}
FACTORS = {
    Factor.CALL_FOR_ACTION: "Country on the FATF's list that calls for action",
    Factor.INCREASED_MONITORING: "Country under increased monitoring by the FATF",
    Factor.COUNTRY_UNKNOWN: "Country not known",
    Factor.COMPANY: "A company",
    Factor.KIND_UNKNOWN: "Neither known as a person nor as a company",
    Factor.CRYPTO: "Account in a crypto asset",
    Factor.RESEMBLES_LISTED: "Resembles a listed party",
    Factor.PEP: "Resembles a politically exposed person",
    Factor.DOCUMENT_REFUSED: "A document was not accepted",
}
STATUSES = {
    CustomerStatus.IN_REVIEW: ("Waits for people", "review"),
    CustomerStatus.VERIFIED: ("Served", "clear"),
    CustomerStatus.REFUSED: ("Refused", "block"),
    CustomerStatus.RESTRICTED: ("Restricted", "review"),
    CustomerStatus.CLOSED: ("Served no more", "closed"),
}


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """Under /desk/customers, as pages and as JSON."""
    pages = APIRouter(prefix=f"{guard.PATH}/customers", route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api/customers")
    sees = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CUSTOMER)
    works = guard.allow(sessions, Permission.WORK_CASES)

    @pages.get("/{customer_id}")
    def show(customer_id: Id, person: DeskSession = sees, done: bool = False) -> Response:
        """All that is known of how far a customer is known."""
        notice = "The document was handed in, and is checked now." if done else None
        return _page(runtime, customer_id, person, notice=notice)

    @pages.post("/{customer_id}/documents")
    async def hand_in_by_form(request: Request, customer_id: Id, person: DeskSession = works) -> Response:
        """Hand in what is on a document; what is refused is told on the customer's page."""
        given = await forms.read(request, person, fields_max=FIELDS_MAX)
        try:
            body = NewDocument.model_validate({name: given[name] for name in _DOCUMENT_FIELDS if given.get(name)})
        except ValidationError as error:
            detail = forms.first_fault(error)
            return await run_in_threadpool(
                _page, runtime, customer_id, person, status=HTTPStatus.UNPROCESSABLE_ENTITY, fault=detail, written=given
            )
        key = forms.key_of(given)
        answer = await _hand_in(runtime, customer_id, body.document, person, key, request.state.trace)
        if answer.status == HTTPStatus.OK:
            return RedirectResponse(f"{guard.PATH}/customers/{customer_id}?done=true", HTTPStatus.SEE_OTHER)
        detail = msgspec.json.decode(answer.body)["detail"]
        return await run_in_threadpool(
            _page, runtime, customer_id, person, status=HTTPStatus(answer.status), fault=detail, written=given
        )

    @programs.get("/{customer_id}")
    def get_customer(customer_id: Id, person: DeskSession = sees) -> dict[str, Any]:
        """The same as JSON."""
        return diligence_queries.customer_view(_find(runtime, customer_id), _policy(runtime))

    @programs.post("/{customer_id}/documents")
    async def hand_in_by_program(
        request: Request,
        customer_id: Id,
        body: NewDocument,
        person: DeskSession = works,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Hand in what is on a document of a customer."""
        guard.require_csrf_token(person, x_csrf_token)
        key = idempotency_key or ids.new()
        return respond(await _hand_in(runtime, customer_id, body.document, person, key, request.state.trace))

    return [pages, programs]


async def _hand_in(
    runtime: Runtime, customer_id: str, document: Document, by: DeskSession, key: str, trace: Trace
) -> Answer:
    command = HandInDocument(**by.signature, customer_id=customer_id, document_id=ids.new(), document=document)

    def done(work: Work) -> dict[str, str | int]:
        return {"customer_id": customer_id, "tier": work.customers[customer_id].tier}

    submission = Submission(
        route=f"customers/{customer_id}/documents",
        command=command,
        body=msgspec.json.encode(document),
        done=done,
        problem=_problem,
        kind=ObjectKind.CUSTOMER,
        object_id=customer_id,
        asked="documents: ",
    )
    return await submit(runtime, submission, by=by, key=key, trace=trace)


def _problem(refusal: Refusal) -> Problem:
    is_unknown = refusal.reason == DiligenceRefusal.CUSTOMER_UNKNOWN
    status = HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.CONFLICT
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)


def _page(
    runtime: Runtime,
    customer_id: str,
    person: DeskSession,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    notice: str | None = None,
    fault: str | None = None,
    written: dict[str, str] | None = None,
) -> Response:
    customer, policy = _find(runtime, customer_id), _policy(runtime)
    words, style = STATUSES[customer.status]
    rating, handed = customer.rating, customer.document
    return render.page(
        "customer.html",
        status=status,
        person=person,
        customer=customer,
        name=customer.subject.name if customer.subject else "Encrypted customer",
        facts=_facts(customer),
        status_words=words,
        status_style=style,
        factors=[(FACTORS[factor], policy.risk.weights[factor]) for factor in rating.factors] if rating else [],
        document=handed,
        document_kind=KINDS[handed.document.kind] if handed else "",
        document_because=handed.refused_because.replace("_", " ") if handed and handed.refused_because else "",
        kinds=KINDS,
        cases=[
            (case, [views.reason_in_words(reason) for reason in case.reasons])
            for case in diligence_queries.list_customer_cases(runtime.engine, customer_id)
        ],
        request_id=ids.new(),
        notice=notice,
        fault=fault,
        written=dict.fromkeys(_DOCUMENT_FIELDS, "") | (written or {}),
    )


def _facts(customer: Customer) -> list[tuple[str, str]]:
    subject = customer.subject
    found = (
        ("Kind", customer.kind.value),
        ("Born", subject.birth_date if subject else None),
        ("Country", country_in_words(subject.country) if subject and subject.country else None),
        ("Proven numbers", ", ".join(numbers_of(customer)) or None),
        ("Accounts in", ", ".join(customer.currencies)),
        ("Customer", customer.customer_id),
    )
    return [(label, value) for label, value in found if value]


def _find(runtime: Runtime, customer_id: str) -> Customer:
    customer = diligence_queries.find_customer(runtime.engine, customer_id)
    if customer is None:
        raise Problem(HTTPStatus.NOT_FOUND, "customer_unknown", "There is no such customer.")
    return customer


def _policy(runtime: Runtime) -> Policy:
    assert isinstance(runtime.settings, ComplianceSettings)
    return runtime.settings.policy
