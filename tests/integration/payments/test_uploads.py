"""Files of payments over HTTP: whole, broken off, sent again, sent twice at once, and longer than they were."""

import json
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from libs.common.service import Runtime
from services.payments import queries
from services.payments.files import CHUNK_LINES
from tests.integration.payments.scene import ANNS, BENS, initiated, order, screened, stored, three_answers
from tests.integration.payments.test_ordering import key_in_use
from tests.serving import Api, counts, problem, rows, tell
from tests.waiting import wait_until

PATH = "/v1/payment-batches"
JSON, CSV = "application/x-ndjson", "text/csv"
HEADER = b"debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount,reference"


def json_line(number: int) -> bytes:
    return json.dumps(order(amount=f"{number}.00", reference=f"line {number}")).encode()


def csv_line(number: int) -> bytes:
    return f'{ANNS},Ann,{BENS},"Baker, Ben",EUR,{number}.00,line {number}'.encode()


def json_file(count: int, first: int = 1) -> bytes:
    return b"".join(json_line(number) + b"\n" for number in range(first, first + count))


def csv_file(count: int) -> bytes:
    return HEADER + b"\r\n" + b"".join(csv_line(number) + b"\r\n" for number in range(1, count + 1))


def send(api: Api, body: Any, media_type: str = JSON, **more: Any) -> httpx.Response:
    return api.post(PATH, body, headers={"Content-Type": media_type}, **more)


def paid(runtime: Runtime) -> list[tuple[int, int]]:
    """Line and amount of every payment that was taken on, in the order of the lines."""
    found = rows(runtime, "SELECT (body::json ->> 'line_number')::int, amount_minor FROM payments ORDER BY 1")
    assert len(initiated(runtime)) == len(found), "each asked about once"
    return [(line, amount_minor) for line, amount_minor in found]


def all_paid(count: int) -> list[tuple[int, int]]:
    return [(number, number * 100) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("body", "media_type"), [(json_file(7), JSON), (csv_file(7), CSV), (csv_file(7), "Text/CSV; charset=utf-8")]
)
def test_every_line_of_a_file_becomes_a_payment(api: Api, body: bytes, media_type: str) -> None:
    response = send(api, body, media_type)
    assert response.status_code == HTTPStatus.OK, response.text
    summary = response.json()
    assert {name: summary[name] for name in ("lines", "accepted", "refused", "refusals")} == {
        "lines": 7,
        "accepted": 7,
        "refused": 0,
        "refusals": [],
    }
    assert paid(api.runtime) == all_paid(7)
    assert {event.batch_id for event in initiated(api.runtime)} == {summary["batch_id"]}


def test_a_file_of_thousands_of_lines_is_taken_in_by_the_chunk(api: Api) -> None:
    count = 2 * CHUNK_LINES + 17
    summary = send(api, json_file(count)).json()
    assert (summary["lines"], summary["accepted"]) == (count, count)
    assert paid(api.runtime) == all_paid(count)
    # One for the file, one for each chunk, one for its end.
    assert counts(api.runtime, "idempotency_keys") == {"idempotency_keys": 1 + 3 + 1}


def test_what_became_of_a_file_can_be_followed(api: Api) -> None:
    batch_id = send(api, json_file(3) + b"{}\n").json()["batch_id"]
    first, second, _ = (event.payment_id for event in initiated(api.runtime))
    tell(api.runtime, *three_answers(first), screened(second))
    api.post(f"/v1/payments/{second}/cancel")
    found = api.get(f"{PATH}/{batch_id}").json()
    assert (found["is_complete"], found["lines"], found["accepted"], found["refused"]) == (True, 4, 3, 1)
    assert found["states"] == {"processing": 2, "cancelled": 1}, "no word of who is approved"
    assert found["refusals"] == [{"line": 4, "reason": "missing", "field": "currency", "detail": "Field required"}]
    listed = api.get("/v1/payments", batch_id=batch_id).json()["payments"]
    assert sorted(view["line_number"] for view in listed) == [1, 2, 3]
    assert problem(api.get(f"{PATH}/{batch_id}", by="rival")) == (404, "not_found", "batch_id")
    assert api.get(f"{PATH}/{batch_id}", by="staff").json() == found


def test_the_same_file_again_gets_the_same_answer_and_pays_nothing_twice(api: Api) -> None:
    body = json_file(CHUNK_LINES + 5) + b"{}\n"
    first, again = (send(api, body, key="march") for _ in range(2))
    assert again.status_code == HTTPStatus.OK
    assert again.content == first.content
    assert paid(api.runtime) == all_paid(CHUNK_LINES + 5)
    assert stored(api.runtime)["refused_lines"] == 1


def test_a_file_sent_again_under_another_key_is_another_file(api: Api) -> None:
    first, again = (send(api, json_file(2)).json() for _ in range(2))
    assert first["batch_id"] != again["batch_id"]
    assert len(initiated(api.runtime)) == 4


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(json_file(2), id="shorter"),
        pytest.param(json_file(4), id="longer"),
        pytest.param(json_file(3, first=2), id="other lines"),
        pytest.param(csv_file(3), id="other format"),
    ],
)
def test_a_key_used_for_another_file_is_refused_and_pays_nothing(api: Api, other: bytes) -> None:
    send(api, json_file(3), key="march")
    media_type = CSV if other.startswith(HEADER) else JSON
    assert problem(send(api, other, media_type, key="march")) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert paid(api.runtime) == all_paid(3)


def test_a_file_that_goes_on_where_a_complete_one_ended_pays_nothing_more(api: Api) -> None:
    """At the border of a chunk nothing but the end tells the two apart."""
    send(api, json_file(CHUNK_LINES), key="march")
    response = send(api, json_file(CHUNK_LINES + 3), key="march")
    assert problem(response) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert paid(api.runtime) == all_paid(CHUNK_LINES)


# Broken off


def break_off(api: Api, *, key: str, parts: Iterator[bytes], until: int) -> None:
    """Send the beginning of a file in chunks, and hang up once so many payments are taken on."""
    address = urlsplit(api.address)
    assert address.hostname and address.port
    headers = {**api.headers(key=key), "Host": address.netloc, "Content-Type": JSON, "Transfer-Encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode())
        for part in parts:
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        wait_until(lambda: counts(api.runtime, "payments")["payments"] >= until)


def test_a_file_broken_off_is_taken_up_again_where_it_broke_and_pays_nothing_twice(api: Api) -> None:
    whole = json_file(3 * CHUNK_LINES + 9)
    break_off(api, key="march", parts=iter([whole[: len(whole) * 3 // 4]]), until=2 * CHUNK_LINES)
    ((batch_id,),) = rows(api.runtime, "SELECT batch_id FROM batches")
    broken = api.get(f"{PATH}/{batch_id}").json()
    assert (broken["is_complete"], broken["lines"]) == (False, 2 * CHUNK_LINES)
    summary = send(api, whole, key="march").json()
    assert (summary["batch_id"], summary["accepted"]) == (batch_id, 3 * CHUNK_LINES + 9)
    assert paid(api.runtime) == all_paid(3 * CHUNK_LINES + 9)
    assert api.get(f"{PATH}/{batch_id}").json()["is_complete"]


def test_a_file_broken_off_and_mended_before_the_break_is_another_file(api: Api) -> None:
    whole = json_file(2 * CHUNK_LINES)
    break_off(api, key="march", parts=iter([whole[: len(whole) * 3 // 4]]), until=CHUNK_LINES)
    mended = whole.replace(b'"line 1"', b'"line one"', 1)
    assert problem(send(api, mended, key="march")) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert paid(api.runtime) == all_paid(CHUNK_LINES)


def test_a_file_that_never_came_to_its_first_chunk_leaves_nothing(api: Api) -> None:
    break_off(api, key="march", parts=iter([json_file(3)]), until=0)
    summary = send(api, json_file(2), key="march").json()
    assert summary["accepted"] == 2, "nothing of the first attempt was stored, so that its key is free"
    assert paid(api.runtime) == all_paid(2)


def test_two_uploads_of_one_file_at_once_pay_each_line_once(api: Api) -> None:
    whole = json_file(4 * CHUNK_LINES)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(send(api, whole, key="march"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status_code for answer in answers} <= {HTTPStatus.OK, HTTPStatus.CONFLICT}
    assert {problem(answer)[1] for answer in answers if answer.status_code != HTTPStatus.OK} <= {"request_in_progress"}
    assert send(api, whole, key="march").json()["accepted"] == 4 * CHUNK_LINES
    assert paid(api.runtime) == all_paid(4 * CHUNK_LINES)


def test_while_a_file_comes_in_the_same_file_is_told_to_wait(api: Api) -> None:
    with key_in_use(api, client_id="shop", route="payment-batches", key="march"):
        response = send(api, json_file(2), key="march")
        assert problem(response) == (409, "request_in_progress", "Idempotency-Key")
        assert response.headers["retry-after"] == "1"
    assert stored(api.runtime) == {}


def test_the_answer_shows_a_bounded_number_of_refusals(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "REFUSALS_SHOWN_MAX", 10)
    summary = send(api, b"{}\n" * 25).json()
    assert (summary["refused"], len(summary["refusals"])) == (25, 10)
    found = api.get(f"{PATH}/{summary['batch_id']}").json()
    assert (found["refused"], len(found["refusals"])) == (25, 10)
