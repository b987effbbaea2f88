"""Intake is bounded: beyond what is under way, orders are told when to come again and files wait."""

import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from libs.common.database import fetch
from schemas.fraud.events import FraudOutcome
from services.payments.__main__ import SERVICE
from services.payments.queries import COUNT_IN_FLIGHT
from tests.integration.payments.scene import (
    ANNS,
    BENS,
    assessed,
    held,
    initiated,
    know_accounts,
    order,
    posted,
    screened,
    stored,
    three_answers,
)
from tests.parts import Parts
from tests.serving import Api, counts, problem, serving, tell
from tests.waiting import wait_until

MANY = """INSERT INTO payments (payment_id, client_id, state, debtor_account_id, amount_minor, currency, initiated_at,
                                check_at, body)
          SELECT gen_random_uuid(), 'many', %s, gen_random_uuid(), 1, 'EUR', now(), now() + interval '7 days',
                 repeat('b', 800)
            FROM generate_series(1, 5000)"""
IN_FLIGHT_MAX, WAIT_SECONDS_MAX = 5, 0.5
BATCHES = "/v1/payment-batches"


@pytest.fixture
def api(parts: Parts) -> Iterator[Api]:
    """Payments that may have five payments under way, of which five are."""
    with (
        parts.runtime(SERVICE, in_flight_max=IN_FLIGHT_MAX, intake_wait_seconds_max=WAIT_SECONDS_MAX) as runtime,
        serving(runtime) as found,
    ):
        know_accounts(runtime)
        for number in range(IN_FLIGHT_MAX):
            assert found.post("/v1/payments", order(), key=f"first {number}").status_code == HTTPStatus.ACCEPTED
        yield found


def csv_file(count: int) -> bytes:
    header = "debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount"
    return "\n".join([header, *[f"{ANNS},Ann,{BENS},Ben,EUR,1.00"] * count]).encode()


def send(api: Api, count: int, *, key: str = "file") -> httpx.Response:
    return api.post(BATCHES, csv_file(count), headers={"Content-Type": "text/csv"}, key=key)


def settle(api: Api, count: int) -> None:
    for event in initiated(api.runtime)[:count]:
        tell(api.runtime, *three_answers(event.payment_id), posted(event.payment_id))


def is_taken_on(api: Api, body: Any, key: str) -> bool:
    return api.post("/v1/payments", body, key=key).status_code == HTTPStatus.ACCEPTED


def test_when_too_many_are_under_way_an_order_is_told_when_to_come_again_and_nothing_is_stored(api: Api) -> None:
    before = stored(api.runtime)
    response = api.post("/v1/payments", order(), key="one more")
    assert problem(response) == (503, "unavailable", None)
    assert int(response.headers["retry-after"]) >= 1
    assert stored(api.runtime) == before


def test_what_was_taken_on_is_answered_the_same_even_when_there_is_no_room(api: Api) -> None:
    """A client that lost our answer must learn that it was taken on, not that it should go elsewhere."""
    assert problem(api.post("/v1/payments", order(), key="one more"))[0] == 503
    again = api.post("/v1/payments", order(), key="first 0")
    assert again.status_code == HTTPStatus.ACCEPTED
    assert len(initiated(api.runtime)) == IN_FLIGHT_MAX


def test_what_makes_no_sense_is_refused_as_such_even_when_there_is_no_room(api: Api) -> None:
    assert problem(api.post("/v1/payments", order("amount", "-1"))) == (422, "invalid", "amount")


def test_a_payment_may_be_withdrawn_when_there_is_no_room(api: Api) -> None:
    payment_id = initiated(api.runtime)[0].payment_id
    assert api.post(f"/v1/payments/{payment_id}/cancel").status_code == HTTPStatus.ACCEPTED


def test_as_payments_end_there_is_room_again(api: Api) -> None:
    settle(api, 1)
    wait_until(lambda: is_taken_on(api, order(), "one more"))
    assert problem(api.post("/v1/payments", order(), key="two more"))[0] == 503


def test_payments_that_wait_for_a_person_take_up_no_room(api: Api) -> None:
    payment_id = initiated(api.runtime)[0].payment_id
    tell(api.runtime, assessed(payment_id, FraudOutcome.REVIEW), screened(payment_id), held(payment_id))
    wait_until(lambda: is_taken_on(api, order(), "one more"))


@pytest.mark.parametrize("once", ["authorised", "initiated"])
def test_only_what_is_under_way_is_read_to_count_it_however_many_wait_for_days(api: Api, once: str) -> None:
    """Also where the planner has not seen them yet, or believes that they all are still under way."""
    with api.runtime.engine.connect() as tx:
        tx.exec_driver_sql(MANY, (once,))
        _require_own_index(tx)
        tx.exec_driver_sql("ANALYZE payments")
        tx.exec_driver_sql("UPDATE payments SET state = 'authorised' WHERE client_id = 'many'")
        _require_own_index(tx)
        assert fetch(tx, COUNT_IN_FLIGHT, (IN_FLIGHT_MAX + 1,)) == [(IN_FLIGHT_MAX,)]


def _require_own_index(tx: Connection) -> None:
    plan = "\n".join(line for (line,) in fetch(tx, f"EXPLAIN {COUNT_IN_FLIGHT}", (IN_FLIGHT_MAX + 1,)))
    assert "using payments_under_way" in plan and "Filter" not in plan, plan


def test_a_step_of_a_payment_under_way_touches_no_index(api: Api) -> None:
    with api.runtime.engine.connect() as tx:
        assert (
            tx.exec_driver_sql("UPDATE payments SET state = 'approved', body = body || ' '").rowcount == IN_FLIGHT_MAX
        )
        heap_only = "SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'payments'"
        assert fetch(tx, heap_only) == [(IN_FLIGHT_MAX,)]


def test_a_file_waits_for_room_and_then_gives_up_with_nothing_stored(api: Api) -> None:
    before = stored(api.runtime)
    response = send(api, 3)
    assert problem(response) == (503, "unavailable", None)
    assert int(response.headers["retry-after"]) >= 1
    assert response.elapsed.total_seconds() >= WAIT_SECONDS_MAX
    assert stored(api.runtime) == before


def test_a_file_that_waits_goes_on_as_soon_as_there_is_room(parts: Parts) -> None:
    with parts.runtime(SERVICE, in_flight_max=IN_FLIGHT_MAX) as runtime, serving(runtime) as api:
        know_accounts(runtime)
        assert send(api, IN_FLIGHT_MAX, key="first").status_code == HTTPStatus.OK
        answers: list[httpx.Response] = []
        sender = threading.Thread(target=lambda: answers.append(send(api, 2, key="second")))
        sender.start()
        settle(api, IN_FLIGHT_MAX)
        sender.join(30)
        assert json.loads(answers[0].content)["accepted"] == 2
        assert counts(runtime, "payments") == {"payments": IN_FLIGHT_MAX + 2}


def test_a_file_sent_again_needs_no_room_for_what_was_taken_on_before(parts: Parts) -> None:
    with (
        parts.runtime(SERVICE, in_flight_max=IN_FLIGHT_MAX, intake_wait_seconds_max=WAIT_SECONDS_MAX) as runtime,
        serving(runtime) as api,
    ):
        know_accounts(runtime)
        first = send(api, IN_FLIGHT_MAX)
        assert first.status_code == HTTPStatus.OK
        wait_until(lambda: api.post("/v1/payments", order()).status_code == HTTPStatus.SERVICE_UNAVAILABLE)
        again = send(api, IN_FLIGHT_MAX)
        assert (again.status_code, again.content) == (first.status_code, first.content)
