"""What the OpenAPI page says is what is answered, and what is answered is what the page says."""

import pytest

from libs.common import ids
from libs.common.openapi import ProblemView
from schemas.fraud.events import FraudOutcome
from services.payments.scopes import SCOPES
from services.payments.views import (
    BatchView,
    PaymentPage,
    PaymentView,
    RefundList,
    RefundView,
    StaffPaymentView,
    UploadView,
)
from tests.integration.payments.scene import assessed, held, order, posted, screened, three_answers
from tests.serving import Api, require, tell


@pytest.fixture
def payment_id(api: Api) -> str:
    """A payment that someone must look at."""
    payment_id = str(api.post("/v1/payments", order()).json()["payment_id"])
    tell(api.runtime, assessed(payment_id, FraudOutcome.REVIEW), screened(payment_id), held(payment_id))
    return payment_id


def test_payments_look_as_documented(api: Api, payment_id: str) -> None:
    require(PaymentView, api.post("/v1/payments", order()))
    require(PaymentView, api.post(f"/v1/payments/{payment_id}/cancel"))
    require(PaymentView, api.get(f"/v1/payments/{payment_id}"))
    require(StaffPaymentView, api.get(f"/v1/payments/{payment_id}", by="staff"))
    require(PaymentPage, api.get("/v1/payments"))
    require(PaymentPage, api.get("/v1/payments", by="staff"))


def test_refunds_look_as_documented(api: Api) -> None:
    payment_id = str(api.post("/v1/payments", order()).json()["payment_id"])
    tell(api.runtime, *three_answers(payment_id), posted(payment_id))
    require(RefundView, api.post(f"/v1/payments/{payment_id}/refunds", {"amount": "1.00"}))
    require(RefundList, api.get(f"/v1/payments/{payment_id}/refunds"))
    require(PaymentView, api.get(f"/v1/payments/{payment_id}"))
    require(PaymentPage, api.get("/v1/payments"))


def test_captures_look_as_documented(api: Api) -> None:
    payment_id = str(api.post("/v1/payments", order(capture="manual")).json()["payment_id"])
    tell(api.runtime, *three_answers(payment_id))
    require(PaymentView, api.get(f"/v1/payments/{payment_id}"))
    require(PaymentView, api.post(f"/v1/payments/{payment_id}/capture"))


def test_files_look_as_documented(api: Api) -> None:
    uploaded = api.post("/v1/payment-batches", b"{}\n", headers={"Content-Type": "application/x-ndjson"})
    require(UploadView, uploaded)
    require(BatchView, api.get(f"/v1/payment-batches/{uploaded.json()['batch_id']}"))


def test_problems_look_as_documented(api: Api) -> None:
    for answer in (
        api.get(f"/v1/payments/{ids.new()}"),
        api.post("/v1/payments", {}),
        api.post("/v1/payments", order(), by=None),
    ):
        require(ProblemView, answer)


def test_the_page_tells_of_keys_and_of_every_problem_by_its_own_type(api: Api) -> None:
    document = api.get("/openapi.json", by=None).json()
    assert document["components"]["securitySchemes"]["API key"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], path
            if path.startswith("/v1"):
                assert operation["security"] == [{"API key": list(SCOPES[f"{method.upper()} {path}"])}]
                assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if status >= "400" and path.startswith("/v1"):
                    assert list(response["content"]) == ["application/problem+json"]
    (key,) = [p for p in document["paths"]["/v1/payments"]["post"]["parameters"] if p["name"] == "idempotency-key"]
    assert key["required"]
    upload = document["paths"]["/v1/payment-batches"]["post"]
    assert set(upload["requestBody"]["content"]) == {"text/csv", "application/x-ndjson"}
