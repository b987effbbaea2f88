"""A payment from its order to its end, as its client, another client and staff see it over HTTP."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from libs.common import ids
from schemas.accounts.events import DeclineReason
from schemas.compliance.events import ScreeningOutcome
from schemas.fraud.events import FraudOutcome
from services.payments import api as payments_api
from tests.integration.payments.scene import (
    ANNS,
    BENS,
    CARLS,
    assessed,
    declined,
    held,
    initiated,
    order,
    posted,
    screened,
    stored,
    three_answers,
)
from tests.serving import Api, problem, rows, tell, told
from tests.waiting import wait_until

PATH = "/v1/payments"
_SECRET_WORDS = ("suspended", "review", "fraud", "compliance", "velocity", "blocking", "listed", "approved", "internal")
"""What a client must not read anywhere while someone looks at its payment."""


def ordered(api: Api, **fields: Any) -> str:
    """Order a payment, and return its id."""
    response = api.post(PATH, order(**fields))
    assert response.status_code == HTTPStatus.ACCEPTED, response.text
    return str(response.json()["payment_id"])


def seen(api: Api, payment_id: str, *, by: str = "shop") -> dict[str, Any]:
    response = api.get(f"{PATH}/{payment_id}", by=by)
    assert response.status_code == HTTPStatus.OK, response.text
    found: dict[str, Any] = response.json()
    return found


def steps(view: dict[str, Any]) -> list[str]:
    return [step["what"] for step in view["timeline"]]


# Ordering


def test_an_order_is_taken_on_and_the_others_are_asked(api: Api) -> None:
    response = api.post(PATH, order(amount="12.3", reference="Rent"))
    assert response.status_code == HTTPStatus.ACCEPTED
    view = response.json()
    assert (view["state"], view["amount"], view["currency"]) == ("processing", "12.30", "EUR")
    assert (view["debtor_account_id"], view["creditor_account_id"]) == (ANNS, BENS)
    assert steps(view) == ["initiated"]
    (event,) = initiated(api.runtime)
    assert event.payment_id == view["payment_id"]
    assert (event.order.client_id, event.order.amount_minor) == ("shop", 1230)
    assert event.order.personal is not None
    assert stored(api.runtime) == {"payments": 1, "outbox": 1, "idempotency_keys": 1}


def test_the_same_order_again_gets_the_same_answer_and_is_paid_once(api: Api) -> None:
    first = api.post(PATH, order(), key="monday")
    payment_id = first.json()["payment_id"]
    tell(api.runtime, *three_answers(payment_id), posted(payment_id))
    again = api.post(PATH, order(), key="monday")
    assert (again.status_code, again.content) == (first.status_code, first.content), "the answer as it was then"
    assert len(initiated(api.runtime)) == 1
    assert seen(api, payment_id)["state"] == "settled"


def test_a_key_used_for_another_order_is_refused(api: Api) -> None:
    api.post(PATH, order(), key="monday")
    assert problem(api.post(PATH, order(amount="12.35"), key="monday")) == (
        422,
        "idempotency_key_reused",
        "Idempotency-Key",
    )
    assert stored(api.runtime) == {"payments": 1, "outbox": 1, "idempotency_keys": 1}


def test_a_refusal_is_answered_alike_even_when_it_would_no_longer_be_refused(api: Api) -> None:
    first = api.post(PATH, order("currency", "USD"), key="monday")
    again = api.post(PATH, order("currency", "USD"), key="monday")
    assert problem(first) == problem(again) == (422, "currency_not_held", "currency")


def test_keys_of_different_clients_and_of_different_requests_are_different_keys(api: Api) -> None:
    mine, theirs = (api.post(PATH, order(), by=by, key="monday").json()["payment_id"] for by in ("shop", "rival"))
    assert mine != theirs
    for payment_id in (mine, ordered(api)):
        assert api.post(f"{PATH}/{payment_id}/cancel", key="monday").status_code == HTTPStatus.ACCEPTED
    assert len(initiated(api.runtime)) == 3


@contextmanager
def key_in_use(api: Api, *, client_id: str, route: str, key: str) -> Iterator[None]:
    """Another process of the service works on a request with this key for as long as the block lasts."""
    locked, done = threading.Event(), threading.Event()

    def hold(tx: Any) -> None:
        words = "\x1f".join((client_id, route, key))
        tx.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (words,))
        locked.set()
        assert done.wait(20)

    holder = threading.Thread(target=lambda: api.runtime.unit.administer(hold))
    holder.start()
    assert locked.wait(20)
    try:
        yield
    finally:
        done.set()
        holder.join(20)


def test_while_the_first_request_with_a_key_runs_the_second_is_told_to_wait(api: Api) -> None:
    with key_in_use(api, client_id="shop", route="payments", key="monday"):
        response = api.post(PATH, order(), key="monday")
        assert problem(response) == (409, "request_in_progress", "Idempotency-Key")
        assert response.headers["retry-after"] == "1"
        assert stored(api.runtime) == {}
    assert api.post(PATH, order(), key="monday").status_code == HTTPStatus.ACCEPTED


def test_a_hundred_clients_with_one_key_order_one_payment(api: Api) -> None:
    answers: list[httpx.Response] = []
    barrier = threading.Barrier(20)

    def ask() -> None:
        barrier.wait(20)
        for _ in range(5):
            answers.append(api.post(PATH, order(), key="monday"))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 100
    accepted = [answer for answer in answers if answer.status_code == HTTPStatus.ACCEPTED]
    assert {answer.content for answer in accepted} == {api.post(PATH, order(), key="monday").content}
    assert {problem(answer)[1] for answer in answers if answer not in accepted} <= {"request_in_progress"}
    assert stored(api.runtime) == {"payments": 1, "outbox": 1, "idempotency_keys": 1}


# Looking at it


def test_the_timeline_tells_a_client_the_journey_in_public_words(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, *three_answers(payment_id))
    assert seen(api, payment_id)["state"] == "processing"
    tell(api.runtime, posted(payment_id))
    view = seen(api, payment_id)
    assert (view["state"], view["reason"]) == ("settled", None)
    assert view["transfer_id"] == ids.derive(payment_id, "transfer")
    assert steps(view) == ["initiated", "funds held", "approved", "settled"]
    times = [datetime.fromisoformat(step["at"]) for step in view["timeline"]]
    assert times == sorted(times)
    assert datetime.fromisoformat(view["ended_at"]) == times[-1]
    assert not {"internal_reason", "evidence", "suspension_reasons", "client_id", "deadline_at"} & set(view)


def test_staff_see_what_was_answered_and_clients_dont(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, assessed(payment_id, FraudOutcome.REVIEW), screened(payment_id), held(payment_id))
    mine, staffs = seen(api, payment_id), seen(api, payment_id, by="staff")
    assert mine["state"] == "processing"
    assert steps(mine) == ["initiated", "funds held"]
    assert not [word for word in _SECRET_WORDS if word in str(mine)]
    assert staffs["state"] == "suspended"
    assert staffs["suspension_reasons"] == ["fraud_review"]
    assert staffs["evidence"]["fraud_outcome"] == "review"
    assert staffs["evidence"]["fraud_findings"][0]["source"] == "velocity"
    assert staffs["client_id"] == "shop"
    assert datetime.fromisoformat(staffs["deadline_at"]) > datetime.now(UTC)
    assert {"fraud answered", "compliance answered", "suspended"} <= set(steps(staffs))


@pytest.mark.parametrize(
    ("answers", "reason", "internal"),
    [
        ("fraud", "declined", "fraud_block"),
        ("funds", "insufficient_funds", "funds_declined"),
    ],
)
def test_a_rejection_has_a_public_reason_and_an_internal_one(
    api: Api, answers: str, reason: str, internal: str
) -> None:
    payment_id = ordered(api)
    blocked = (assessed(payment_id, FraudOutcome.BLOCK), screened(payment_id), held(payment_id))
    unfunded = (declined(payment_id, DeclineReason.INSUFFICIENT_FUNDS),)
    tell(api.runtime, *{"fraud": blocked, "funds": unfunded}[answers])
    mine, staffs = seen(api, payment_id), seen(api, payment_id, by="staff")
    assert (mine["state"], mine["reason"]) == ("rejected", reason)
    assert internal not in str(mine)
    assert staffs["internal_reason"] == internal


def test_another_clients_payment_does_not_exist_for_a_client(api: Api) -> None:
    payment_id = ordered(api)
    nobodys = api.get(f"{PATH}/{ids.new()}")
    for response in (api.get(f"{PATH}/{payment_id}", by="rival"), nobodys):
        assert problem(response) == (404, "payment_unknown", "payment_id")
    cancelled = api.post(f"{PATH}/{payment_id}/cancel", by="rival")
    assert problem(cancelled) == (404, "payment_unknown", "payment_id")
    assert seen(api, payment_id, by="staff")["state"] == "initiated"


# Withdrawing it


def test_a_payment_that_is_certainly_clear_is_withdrawn_at_once(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, screened(payment_id))
    response = api.post(f"{PATH}/{payment_id}/cancel", key="stop")
    assert response.status_code == HTTPStatus.ACCEPTED
    assert response.json()["state"] == "cancelled"
    assert api.post(f"{PATH}/{payment_id}/cancel", key="stop").content == response.content
    assert problem(api.post(f"{PATH}/{payment_id}/cancel")) == (409, "payment_ended", "payment_id")
    assert [type(event).__name__ for event in told(api.runtime)] == ["PaymentInitiated", "PaymentCancelled"]
    tell(api.runtime, held(payment_id))
    assert type(told(api.runtime)[-1]).__name__ == "PaymentReleaseRequested"


def test_a_withdrawal_waits_until_it_is_certain_and_looks_the_same_to_the_client_whoever_is_paid(api: Api) -> None:
    plain, listed = ordered(api), ordered(api)
    tell(api.runtime, screened(listed, ScreeningOutcome.REVIEW), assessed(listed), held(listed), held(plain))
    answers = [api.post(f"{PATH}/{payment_id}/cancel") for payment_id in (plain, listed)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.ACCEPTED] * 2
    assert [answer.json()["state"] for answer in answers] == ["processing"] * 2
    assert [steps(answer.json()) for answer in answers] == [["initiated", "funds held", "cancel requested"]] * 2
    tell(api.runtime, screened(plain))
    assert seen(api, plain)["state"] == "cancelled"
    assert seen(api, listed)["state"] == "processing"


def test_a_payment_that_is_approved_or_has_ended_cant_be_withdrawn(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, *three_answers(payment_id))
    assert problem(api.post(f"{PATH}/{payment_id}/cancel")) == (409, "payment_not_cancellable", "payment_id")
    tell(api.runtime, posted(payment_id))
    assert problem(api.post(f"{PATH}/{payment_id}/cancel")) == (409, "payment_ended", "payment_id")
    assert seen(api, payment_id)["state"] == "settled"


def test_staff_may_withdraw_a_clients_payment(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, screened(payment_id))
    assert api.post(f"{PATH}/{payment_id}/cancel", by="staff").json()["state"] == "cancelled"
    assert seen(api, payment_id)["state"] == "cancelled"


# Lists of them


def pages(api: Api, *, by: str = "shop", limit: int = 2, **filters: Any) -> Iterator[list[str]]:
    """The ids of a list, page by page, as the caller asks for them."""
    cursor: dict[str, str] = {}
    while True:
        response = api.get(PATH, by=by, limit=limit, **filters, **cursor)
        assert response.status_code == HTTPStatus.OK, response.text
        found = response.json()
        yield [view["payment_id"] for view in found["payments"]]
        if found["next_cursor"] is None:
            return
        cursor = {"cursor": found["next_cursor"]}


def listed(api: Api, **filters: Any) -> list[str]:
    return [payment_id for page in pages(api, **filters) for payment_id in page]


def one_after_another(api: Api, count: int, **fields: Any) -> list[str]:
    """Orders in different milliseconds, newest first: the order in which they are listed."""
    found: list[str] = []
    for _ in range(count):
        found.insert(0, ordered(api, **fields))
        now = datetime.now(UTC)
        wait_until(lambda now=now: datetime.now(UTC) > now + timedelta(milliseconds=2))  # type: ignore[misc]
    return found


def test_a_list_is_newest_first_and_whole_whatever_the_pages(api: Api) -> None:
    mine = one_after_another(api, 7)
    for limit in (1, 2, 3, 7, 500):
        assert listed(api, limit=limit) == mine
    assert [len(page) for page in pages(api, limit=7)] == [7], "a full last page says that it is the last"


def test_a_list_that_grows_while_it_is_read_shows_each_payment_once(api: Api) -> None:
    mine = one_after_another(api, 6)
    found: list[str] = []
    for page in pages(api, limit=2):
        found += page
        ordered(api)
    assert found == mine


def test_clients_list_their_own_payments_and_staff_all(api: Api) -> None:
    mine = ordered(api)
    theirs = api.post(PATH, order(), by="rival").json()["payment_id"]
    assert listed(api) == [mine]
    assert listed(api, by="rival") == [theirs]
    assert set(listed(api, by="staff")) == {mine, theirs}
    assert listed(api, by="reader") == []


def test_a_list_is_filtered(api: Api) -> None:
    settled, cancelled, waiting = ordered(api), ordered(api), ordered(api)
    carls = ordered(api, debtor={"account_id": CARLS, "name": "Carl"})
    tell(api.runtime, *three_answers(settled), posted(settled), screened(cancelled))
    api.post(f"{PATH}/{cancelled}/cancel")
    assert listed(api, state="settled") == [settled]
    assert listed(api, state="cancelled") == [cancelled]
    assert set(listed(api, state="processing")) == {waiting, carls}
    assert listed(api, debtor_account_id=CARLS) == [carls]
    assert listed(api, batch_id=ids.new()) == []
    at = seen(api, carls)["initiated_at"]
    assert carls in listed(api, initiated_from=at)
    assert carls not in listed(api, initiated_before=at)
    assert set(listed(api, initiated_before=at)) == {settled, cancelled, waiting}


def test_only_staff_can_ask_for_what_clients_must_not_tell_apart(api: Api) -> None:
    payment_id = ordered(api)
    tell(api.runtime, assessed(payment_id, FraudOutcome.REVIEW), screened(payment_id), held(payment_id))
    assert listed(api, by="staff", state="suspended") == [payment_id]
    for state in ("suspended", "approved", "blocking", "initiated"):
        response = api.get(PATH, state=state)
        assert problem(response) == (422, "invalid", "state")
        assert not [word for word in _SECRET_WORDS if word in response.text.replace("blocked", "")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "lost"),
        ("limit", 0),
        ("limit", 501),
        ("limit", "many"),
        ("cursor", "7"),
        ("debtor_account_id", "7"),
        ("batch_id", "7"),
        ("initiated_from", "yesterday"),
        ("initiated_before", "2026-01-05T09:00:00"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api: Api, name: str, value: Any) -> None:
    assert problem(api.get(PATH, **{name: value})) == (422, "invalid", name)


def test_a_filter_that_does_not_exist_is_refused_rather_than_passed_over(api: Api) -> None:
    """A misspelt filter that shows everything would be taken for an answer."""
    assert problem(api.get(PATH, status="settled")) == (422, "invalid", "status")


def test_payments_are_kept_with_their_states_beside_them(api: Api) -> None:
    """Lists and sweeps read columns, people read the document: both must say the same."""
    for _ in range(3):
        ordered(api, device_id=secrets.token_hex(4))
    tell(api.runtime, *three_answers(listed(api)[0]))
    for state, check_at, body in rows(api.runtime, "SELECT state, check_at, body::json FROM payments"):
        assert body.get("state", "initiated") == state
        assert datetime.fromisoformat(body["check_at"]) == check_at


def test_a_page_has_a_bound(api: Api) -> None:
    assert payments_api.PAGE_LENGTH_MAX <= 1_000
