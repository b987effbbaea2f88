"""What the law asks to be known about parties, as clients meet it over HTTP."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from libs.common.record import replace
from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import PaymentApproved, PaymentDataSupplied, PaymentInitiated
from services.payments.views import PaymentView
from tests.integration.payments.scene import assessed, held, order, screened
from tests.serving import Api, problem, require, tell, told

PATH = "/v1/payments"
MISSING = ("debtor.birth_date", "debtor.birth_place")
BORN = {"birth_date": "1980-02-03", "birth_place": "Ghent"}


def elsewhere(**creditor: Any) -> dict[str, Any]:
    """An order to pay somebody at another bank."""
    body: dict[str, Any] = order()
    bank = {"institution": "Autre Banque", "institution_country": "CH", "account_number": "CH93", "kind": "person"}
    return {**body, "creditor": {**body["creditor"], **bank, **creditor}}


@pytest.fixture
def payment_id(api: Api) -> str:
    """A payment that waits for data about who pays."""
    payment_id = str(api.post(PATH, elsewhere()).json()["payment_id"])
    answer = replace(screened(payment_id, ScreeningOutcome.INCOMPLETE), hits=(), missing=MISSING)
    tell(api.runtime, assessed(payment_id), answer, held(payment_id))
    return payment_id


def test_an_order_says_who_holds_an_account_elsewhere(api: Api, payment_id: str) -> None:
    (event,) = [event for event in told(api.runtime) if isinstance(event, PaymentInitiated)]
    assert event.order.creditor_institution is not None
    assert event.order.creditor_institution.name == "Autre Banque"
    assert event.order.debtor_institution is None


def test_a_client_sees_what_is_missing_tells_it_and_the_payment_goes_on(api: Api, payment_id: str) -> None:
    seen = api.get(f"{PATH}/{payment_id}")
    require(PaymentView, seen)
    assert (seen.json()["state"], seen.json()["missing"]) == ("processing", list(MISSING))
    answer = api.post(f"{PATH}/{payment_id}/party-data", {"debtor": BORN})
    require(PaymentView, answer)
    assert (answer.status_code, answer.json()["missing"]) == (HTTPStatus.ACCEPTED, [])
    (supplied,) = [event for event in told(api.runtime) if isinstance(event, PaymentDataSupplied)]
    assert supplied.order.personal.debtor.birth_place == "Ghent"  # type: ignore[union-attr]
    clear = screened(payment_id)
    tell(api.runtime, replace(clear, screened_at=clear.screened_at + timedelta(seconds=1)))
    assert [event for event in told(api.runtime) if isinstance(event, PaymentApproved)]


def test_a_file_may_say_who_holds_an_account_elsewhere_too(api: Api) -> None:
    body = elsewhere()
    columns = {f"{side}_{name}": value for side in ("debtor", "creditor") for name, value in body[side].items()}
    columns |= {"currency": body["currency"], "amount": body["amount"]}
    content = f"{','.join(columns)}\n{','.join(map(str, columns.values()))}\n".encode()
    uploaded = api.post("/v1/payment-batches", content, headers={"Content-Type": "text/csv"})
    assert (uploaded.json()["accepted"], uploaded.json()["refused"]) == (1, 0), uploaded.text
    (event,) = [event for event in told(api.runtime) if isinstance(event, PaymentInitiated)]
    assert event.order.creditor_institution is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"debtor": {"birth_date": "soon"}}, "debtor.birth_date"),
        ({"debtor": {"kind": "unknown"}}, "debtor.kind"),
        ({"debtor": {"wallet_ownership": "mine"}}, "debtor.wallet_ownership"),
        ({"payer": {}}, "payer"),
    ],
)
def test_data_that_make_no_sense_are_refused(api: Api, payment_id: str, body: dict[str, Any], field: str) -> None:
    status, reason, told_field = problem(api.post(f"{PATH}/{payment_id}/party-data", body))
    assert (status, reason, told_field) == (422, "invalid", field)


@pytest.mark.parametrize(
    "creditor",
    [{"is_self_hosted": True}, {"institution": None}, {"institution_lei": "short"}, {"kind": "unknown"}],
)
def test_an_order_that_makes_no_sense_is_refused(api: Api, creditor: dict[str, Any]) -> None:
    assert problem(api.post(PATH, elsewhere(**creditor)))[:2] == (422, "invalid")


def test_data_of_somebody_elses_payment_are_not_taken(api: Api, payment_id: str) -> None:
    path = f"{PATH}/{payment_id}/party-data"
    assert problem(api.post(path, {"debtor": BORN}, by="rival"))[:2] == (404, "payment_unknown")
    assert api.post(path, {"debtor": BORN}, by="staff").status_code == HTTPStatus.ACCEPTED
    assert problem(api.post(path, {"debtor": {"birth_place": "Bruges"}}))[::2] == (409, "debtor.birth_place")
