"""Fees, captures and refunds as clients meet them over HTTP."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from libs.common import ids
from libs.common.database import transaction
from libs.common.metrics import Metrics, SweepMetrics
from libs.common.record import replace
from libs.common.service import Runtime
from libs.common.sweep import Sweep
from schemas.accounts.events import RefundPosted, RefundRefusal, RefundRefused
from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import PaymentApproved, PaymentAuthorised, PaymentInitiated, RefundAnswerOverdue
from services.payments import queries, store
from services.payments.domain.payment import Capture
from services.payments.domain.refund import Refund
from services.payments.settings import PaymentsSettings
from tests.integration.payments.scene import ANNS, BENS, NOW, order, posted, screened, three_answers
from tests.serving import Api, problem, rows, tell, told

PATH = "/v1/payments"
FEE = "0.22"
LATER = timedelta(seconds=1)


def ordered(api: Api, **fields: Any) -> str:
    response = api.post(PATH, order(**fields))
    assert response.status_code == HTTPStatus.ACCEPTED, response.text
    return str(response.json()["payment_id"])


def authorised(api: Api) -> str:
    payment_id = ordered(api, capture="manual")
    tell(api.runtime, *three_answers(payment_id))
    return payment_id


def settled(api: Api) -> str:
    payment_id = ordered(api)
    tell(api.runtime, *three_answers(payment_id), posted(payment_id))
    return payment_id


def seen(api: Api, payment_id: str, *, by: str = "shop") -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"{PATH}/{payment_id}", by=by).json()
    return found


def steps(view: dict[str, Any]) -> list[str]:
    return [step["what"] for step in view["timeline"]]


def refund_posted(refund: dict[str, Any], amount_minor: int = 1234) -> RefundPosted:
    return RefundPosted(
        refund_id=refund["refund_id"],
        payment_id=refund["payment_id"],
        debtor_account_id=ANNS,
        creditor_account_id=BENS,
        amount_minor=amount_minor,
        currency="EUR",
        transfer_id=ids.derive(refund["refund_id"], "transfer"),
        posted_at=NOW,
    )


def refund_refused(refund: dict[str, Any]) -> RefundRefused:
    return RefundRefused(
        refund_id=refund["refund_id"],
        payment_id=refund["payment_id"],
        debtor_account_id=ANNS,
        creditor_account_id=BENS,
        reason=RefundRefusal.INSUFFICIENT_FUNDS,
        refused_at=NOW,
    )


# Fees


def test_an_order_is_answered_with_its_fee_also_as_a_line_of_a_file(api: Api) -> None:
    view = api.post(PATH, order()).json()
    assert (view["amount"], view["fee"], view["timeline"][0]["detail"]) == ("12.34", FEE, f"fee {FEE}")
    columns = "debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount,capture"
    csv = f"{columns}\n{ANNS},Ann,{BENS},Ben,EUR,12.34,manual\n{ANNS},Ann,{BENS},Ben,EUR,12.34,\n".encode()
    api.post("/v1/payment-batches", csv, headers={"Content-Type": "text/csv"})
    initiated = [event for event in told(api.runtime) if isinstance(event, PaymentInitiated)]
    assert [event.order.fee_minor for event in initiated] == [22, 22, 22]
    captures = [seen(api, event.payment_id)["capture"] for event in initiated]
    assert sorted(captures) == [Capture.AUTOMATIC, Capture.AUTOMATIC, Capture.MANUAL]


# Captures


def test_a_payment_is_authorised_and_captured_in_part(api: Api) -> None:
    payment_id = authorised(api)
    view = seen(api, payment_id)
    assert (view["state"], view["captured_amount"], steps(view)[-1]) == ("authorised", None, "authorised")
    assert datetime.fromisoformat(view["capture_by"]) > datetime.now(UTC) + timedelta(days=6)
    captured = api.post(f"{PATH}/{payment_id}/capture", {"amount": "5.00"}, key="take")
    assert captured.status_code == HTTPStatus.ACCEPTED
    assert (captured.json()["state"], captured.json()["captured_amount"]) == ("processing", "5.00")
    assert captured.json()["captured_fee"] == "0.15"
    assert api.post(f"{PATH}/{payment_id}/capture", {"amount": "5.00"}, key="take").content == captured.content
    assert problem(api.post(f"{PATH}/{payment_id}/capture")) == (409, "payment_not_capturable", "payment_id")
    assert problem(api.post(f"{PATH}/{payment_id}/cancel")) == (409, "payment_not_cancellable", "payment_id")
    events = [event for event in told(api.runtime) if isinstance(event, PaymentAuthorised | PaymentApproved)]
    assert [(type(event), event.amount_minor, event.fee_minor) for event in events] == [
        (PaymentAuthorised, 1234, 22),
        (PaymentApproved, 500, 15),
    ]


@pytest.mark.parametrize("body", [None, {}])
def test_all_is_captured_where_nothing_is_said(api: Api, body: Any) -> None:
    payment_id = authorised(api)
    assert api.post(f"{PATH}/{payment_id}/capture", body).json()["captured_amount"] == "12.34"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"amount": "12.35"}, (422, "amount_too_large", "amount")),
        ({"amount": "0.001"}, (422, "amount_invalid", "amount")),
        ({"amount": "0"}, (422, "amount_invalid", "amount")),
        ({"amount": 5}, (422, "invalid", "amount")),
        ({"amuont": "5.00"}, (422, "invalid", "amuont")),
    ],
)
def test_what_makes_no_sense_is_not_captured(api: Api, body: Any, answer: tuple[int, str, str]) -> None:
    payment_id = authorised(api)
    assert problem(api.post(f"{PATH}/{payment_id}/capture", body)) == answer
    assert seen(api, payment_id)["state"] == "authorised"


def test_a_capture_looks_the_same_to_a_client_whether_or_not_someone_looks_at_the_payment(api: Api) -> None:
    plain, listed = authorised(api), authorised(api)
    tell(api.runtime, replace(screened(listed, ScreeningOutcome.REVIEW), screened_at=NOW + LATER))
    assert seen(api, listed, by="staff")["state"] == "suspended"
    assert [seen(api, payment_id)["state"] for payment_id in (plain, listed)] == ["authorised"] * 2
    answers = [api.post(f"{PATH}/{payment_id}/capture").json() for payment_id in (plain, listed)]
    assert [(answer["state"], steps(answer)) for answer in answers] == [
        ("processing", ["initiated", "funds held", "authorised", "captured"])
    ] * 2
    approved = [event.payment_id for event in told(api.runtime) if isinstance(event, PaymentApproved)]
    assert approved == [plain]


def test_a_withdrawal_looks_the_same_to_a_client_and_the_sweep_carries_it_out_where_nobody_looks(api: Api) -> None:
    plain, listed = authorised(api), authorised(api)
    tell(api.runtime, replace(screened(listed, ScreeningOutcome.REVIEW), screened_at=NOW + LATER))
    answers = [api.post(f"{PATH}/{payment_id}/cancel").json() for payment_id in (plain, listed)]
    assert [(answer["state"], steps(answer)) for answer in answers] == [
        ("processing", ["initiated", "funds held", "authorised", "cancel requested"])
    ] * 2
    for payment_id in (plain, listed):
        refused = api.post(f"{PATH}/{payment_id}/capture")
        assert problem(refused) == (409, "payment_not_capturable", "payment_id")
    Sweep(api.runtime.unit, store.find_due, [], SweepMetrics(Metrics())).run_once()
    assert [seen(api, payment_id)["state"] for payment_id in (plain, listed)] == ["cancelled", "processing"]
    assert seen(api, listed, by="staff")["state"] == "suspended"


def test_an_authorised_payment_is_listed_as_one_that_has_not_ended(api: Api) -> None:
    payment_id = authorised(api)
    assert [view["payment_id"] for view in api.get(PATH, state="processing").json()["payments"]] == [payment_id]
    (staffs,) = api.get(PATH, by="staff", state="authorised").json()["payments"]
    assert staffs["state"] == "authorised"
    assert problem(api.get(PATH, state="authorised")) == (422, "invalid", "state")


def test_authorised_payments_leave_room_for_others(api: Api) -> None:
    authorised(api)
    assert queries.count_in_flight(api.runtime.engine, 10) == 0
    ordered(api)
    assert queries.count_in_flight(api.runtime.engine, 10) == 1


def test_another_clients_payment_can_be_neither_captured_nor_refunded(api: Api) -> None:
    payment_id = authorised(api)
    for request in ("capture", "refunds"):
        answer = api.post(f"{PATH}/{payment_id}/{request}", by="rival")
        assert problem(answer) == (404, "payment_unknown", "payment_id")
    assert problem(api.get(f"{PATH}/{payment_id}/refunds", by="rival")) == (404, "payment_unknown", "payment_id")
    assert api.post(f"{PATH}/{payment_id}/capture", by="staff").status_code == HTTPStatus.ACCEPTED


# Refunds


def test_money_is_given_back_in_parts(api: Api) -> None:
    payment_id = settled(api)
    part = api.post(f"{PATH}/{payment_id}/refunds", {"amount": "2.00"}, key="back")
    assert part.status_code == HTTPStatus.ACCEPTED
    first = part.json()
    assert (first["state"], first["amount"], first["payment_id"]) == ("requested", "2.00", payment_id)
    assert api.post(f"{PATH}/{payment_id}/refunds", {"amount": "2.00"}, key="back").content == part.content
    rest = api.post(f"{PATH}/{payment_id}/refunds", by="staff").json()
    assert rest["amount"] == "10.34", "without the fee"
    assert problem(api.post(f"{PATH}/{payment_id}/refunds")) == (409, "payment_refunded", "payment_id")
    tell(api.runtime, refund_posted(first, 200), refund_refused(rest))
    tell(api.runtime, refund_posted(first, 200), refund_refused(rest))
    view = seen(api, payment_id)
    assert view["state"] == "settled"
    assert [(refund["state"], refund["reason"]) for refund in view["refunds"]] == [
        ("settled", None),
        ("rejected", "insufficient_funds"),
    ]
    assert view["refunds"][0]["transfer_id"] == ids.derive(first["refund_id"], "transfer")
    assert steps(view)[-4:] == ["refund requested", "refund requested", "refund settled", "refund rejected"]
    assert api.get(f"{PATH}/{payment_id}/refunds").json() == {"refunds": view["refunds"]}
    (listed,) = api.get(PATH).json()["payments"]
    assert listed == view
    names = [type(event).__name__ for event in told(api.runtime) if type(event).__name__.startswith("Refund")]
    assert names == ["RefundRequested", "RefundRequested", "RefundSettled", "RefundRejected"]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"amount": "12.35"}, (422, "amount_too_large", "amount")),
        ({"amount": "a lot"}, (422, "amount_invalid", "amount")),
        ({"amount": "1", "reason": "broken"}, (422, "invalid", "reason")),
    ],
)
def test_what_makes_no_sense_is_not_given_back(api: Api, body: Any, answer: tuple[int, str, str]) -> None:
    payment_id = settled(api)
    assert problem(api.post(f"{PATH}/{payment_id}/refunds", body)) == answer
    assert api.get(f"{PATH}/{payment_id}/refunds").json() == {"refunds": []}


def test_only_what_is_settled_is_given_back(api: Api) -> None:
    answer = api.post(f"{PATH}/{ordered(api)}/refunds")
    assert problem(answer) == (409, "payment_not_settled", "payment_id")


def test_a_refund_is_kept_as_it_is_and_asked_about_until_accounts_answers(api: Api) -> None:
    refund = api.post(f"{PATH}/{settled(api)}/refunds").json()
    with transaction(api.runtime.engine) as tx:
        state = store.load_payments(
            tx,
            [_due(api.runtime)],
            policy=_settings(api.runtime).policy,
            fees={},
            default_quotas={},
            vault=api.runtime.vault,
        )
    (kept,) = state.refunds.values()
    assert isinstance(kept, Refund)
    assert (kept.refund_id, kept.amount_minor, kept.deadline_step, kept.sequence) == (refund["refund_id"], 1234, 0, 1)
    overdue(api.runtime, refund["refund_id"])
    Sweep(api.runtime.unit, store.find_due, [], SweepMetrics(Metrics())).run_once()
    (asked,) = [event for event in told(api.runtime) if isinstance(event, RefundAnswerOverdue)]
    assert (asked.refund_id, asked.amount_minor) == (refund["refund_id"], 1234)
    tell(api.runtime, refund_posted(refund))
    assert rows(api.runtime, "SELECT state, check_at FROM refunds") == [("settled", None)]


def test_refunds_without_an_answer_are_counted_with_what_is_past_its_deadline(api: Api) -> None:
    api.post(f"{PATH}/{settled(api)}/refunds")
    late = datetime.now(UTC) + timedelta(seconds=_settings(api.runtime).suspend_seconds) + LATER
    for now, expected in ((datetime.now(UTC), 0), (late, 1)):
        api.runtime.figures.run_once(now)
        assert api.runtime.metrics.get_sample_value("payments_past_deadline") == expected


def _settings(runtime: Runtime) -> PaymentsSettings:
    assert isinstance(runtime.settings, PaymentsSettings)
    return runtime.settings


def _due(runtime: Runtime) -> Any:
    in_a_day = datetime.now(UTC) + timedelta(days=1)
    with transaction(runtime.engine) as tx:
        (message,) = store.find_due(tx, in_a_day, 10)
    return message


def overdue(runtime: Runtime, refund_id: str) -> None:
    """As if a minute had gone by since accounts was asked."""
    statement = "UPDATE refunds SET check_at = check_at - interval '1 minute' WHERE refund_id = %s"
    runtime.unit.administer(lambda tx: tx.exec_driver_sql(statement, (refund_id,)))
