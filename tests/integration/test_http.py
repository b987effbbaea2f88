"""The HTTP factory: every service's API fails, answers and counts alike."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field

from libs.common import clients, ids, tracing
from libs.common import edge as edges
from libs.common.api_keys import new_key
from libs.common.batch import Refusal
from libs.common.database import fetch, transaction
from libs.common.errors import Outage
from libs.common.fields import Body, Id
from libs.common.http import IdempotencyKey, Who, answer_json, request_key, respond
from libs.common.message import Message
from libs.common.problems import Problem
from libs.common.record import replace
from libs.common.scopes import Scope
from libs.common.service import Runtime
from tests.parts import METRICS_TOKEN, Parts
from tests.serving import Api, database_away, rows, serving
from tests.tally.service import UNLUCKY, Increment, Superstition, Tally, service

BODY_BYTES_MAX, FILE_BYTES_MAX = 2_000, 20_000
PROBLEM = "application/problem+json"
READINESS = {"api": True, "worker": True}


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("must be even")
    return number


class Inner(Body):
    number: Annotated[int, AfterValidator(_even)] = 0


class Ask(Body):
    counter_id: str
    by: Annotated[int, Field(le=1_000_000)] = 1
    inner: Inner = Inner()


SCOPES = {
    "POST /v1/increments": (Scope.WRITE,),
    "POST /v1/files": (),
    "GET /v1/things/{thing_id}": (Scope.READ,),
    "GET /v1/fails/{how}": (),
}


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    router = APIRouter(prefix="/v1")

    @router.post("/increments")
    async def increment(request: Request, who: Who, key: IdempotencyKey, body: Ask) -> Response:
        command = Increment(counter_id=body.counter_id, by=body.by)
        message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=who.trace)

        def answer(tally: Tally, _: Sequence[Refusal | None]) -> Any:
            if body.counter_id == "unanswerable":
                raise LookupError("a bug")
            return answer_json(HTTPStatus.OK, {"total": tally.counters[body.counter_id].total})

        submitted = runtime.edge.submit(request_key(who, "increments", key), await request.body(), [message], answer)
        return respond(await submitted)

    @router.post("/files")
    async def count_bytes(request: Request) -> dict[str, int]:
        return {"bytes": sum([len(part) async for part in request.stream()])}

    @router.get("/things/{thing_id}")
    def get_thing(thing_id: Id, who: Who) -> dict[str, str]:
        return {"thing_id": thing_id, "traceparent": who.trace.traceparent, "request_id": who.trace.correlation_id}

    @router.get("/fails/{how}")
    def fail(how: str) -> None:
        raise {
            "outage": Outage("the database: secret detail"),
            "busy": edges.Busy(),
            "in-use": edges.KeyInUse(),
            "reused": edges.KeyReused(),
            "failed": edges.Failed(),
            "bug": ValueError("secret detail"),
            "problem": Problem(HTTPStatus.CONFLICT, "taken", "it is taken", field="seat"),
        }[how]

    return [router]


@pytest.fixture(scope="module")
def api(parts: Parts) -> Iterator[Api]:
    answering = replace(service(), routes=routes, scopes=SCOPES, large_bodies=lambda _: {"/v1/files": FILE_BYTES_MAX})
    with (
        parts.runtime(answering, http_body_bytes_max=BODY_BYTES_MAX) as runtime,
        serving(runtime, is_ready=lambda: READINESS) as api,
    ):
        yield api


def problem(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, reason and field of a problem, once it is sure that it is one."""
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:weir:problem:{body['reason']}"
    assert body["title"] and body["detail"]
    assert ids.is_id(response.headers["x-request-id"])
    return response.status_code, body["reason"], body.get("field")


ASK = {"counter_id": "a", "by": 1}


# What is wrong with a request


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "malformed_json", "body")),
        (b"", (422, "invalid", "body")),
        (b"\xff\xfe", (400, "malformed_json", "body")),
        (b'"\xed\xa0\x80"', (422, "invalid", "body")),
        (b"[" * 1_500, (400, "malformed_json", "body")),
        (b'{"by": ' + b"9" * 5_00 + b'0, "counter_id": "a"}', (422, "invalid", "by")),
        (b"null", (422, "invalid", "body")),
        (b"[]", (422, "invalid", "body")),
        (b'"text"', (422, "invalid", "body")),
        (b"{}", (422, "invalid", "counter_id")),
        (b'{"counter_id": 7}', (422, "invalid", "counter_id")),
        (b'{"counter_id": "a", "by": 1.5}', (422, "invalid", "by")),
        (b'{"counter_id": "a", "by": NaN}', (422, "invalid", "by")),
        (b'{"counter_id": "a", "inner": {"number": 3}}', (422, "invalid", "inner.number")),
        (b'{"counter_id": "a", "bye": 1}', (422, "invalid", "bye")),
        (b'{"counter_id": "a", "\\ud800": 1}', (422, "invalid", "body")),
        (b'{"counter_id": "a", "b\\u0000": 1}', (422, "invalid", "b\N{SYMBOL FOR NULL}")),
    ],
)
def test_a_body_that_is_wrong_is_refused_at_its_place(api: Api, body: bytes, expected: tuple[int, str, str]) -> None:
    assert problem(api.post("/v1/increments", body)) == expected


def test_every_fault_of_a_body_is_listed(api: Api) -> None:
    response = api.post("/v1/increments", {"by": "many", "inner": {"number": 3}})
    assert problem(response) == (422, "invalid", "counter_id")
    assert [(fault["field"], fault["reason"]) for fault in response.json()["errors"]] == [
        ("counter_id", "missing"),
        ("by", "wrong_type"),
        ("inner.number", "wrong_value"),
    ]


def test_a_body_that_is_not_said_to_be_json_is_refused(api: Api) -> None:
    response = api.post("/v1/increments", json.dumps(ASK).encode(), headers={"Content-Type": "text/plain"})
    assert problem(response) == (422, "invalid", "body")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, (400, "idempotency_key_missing", "Idempotency-Key")),
        ("x" * 201, (400, "idempotency_key_invalid", "Idempotency-Key")),
        ("tab\there", (400, "idempotency_key_invalid", "Idempotency-Key")),
    ],
)
def test_a_key_is_needed_and_printable(api: Api, key: str | None, expected: tuple[int, str, str]) -> None:
    assert problem(api.post("/v1/increments", ASK, key=key)) == expected


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic d2VpcjpzZWNyZXQ=", "Bearer \N{LATIN SMALL LETTER E WITH ACUTE}"],
)
def test_without_a_valid_key_nobody_gets_in(api: Api, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1")} if authorization else {}
    response = api.request("GET", f"/v1/things/{ids.new()}", headers=headers)
    assert problem(response) == (401, "unauthenticated", None)
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_client_does_only_what_its_scopes_allow(api: Api) -> None:
    assert problem(api.post("/v1/increments", ASK, by="reader")) == (403, "forbidden", None)
    assert problem(api.get(f"/v1/things/{ids.new()}", by="writer")) == (403, "forbidden", None)
    assert api.get(f"/v1/things/{ids.new()}", by="reader").status_code == 200


def test_who_it_is_comes_before_what_is_asked(api: Api) -> None:
    """A stranger learns nothing of what a request should look like."""
    assert problem(api.post("/v1/increments", {}, by=None, key=None)) == (401, "unauthenticated", None)


def test_an_unknown_route_is_a_problem(api: Api) -> None:
    assert problem(api.get("/v1/nowhere")) == (404, "not_found", None)


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(api: Api) -> None:
    response = api.request("DELETE", "/v1/increments")
    assert problem(response) == (405, "method_not_allowed", None)
    assert response.headers["allow"] == "POST"


def test_a_wrong_path_parameter_is_named(api: Api) -> None:
    assert problem(api.get("/v1/things/7")) == (422, "invalid", "thing_id")


# How large a request may be


def test_a_body_that_says_it_is_too_large_is_refused_unread(api: Api) -> None:
    assert problem(api.post("/v1/increments", b"x" * (BODY_BYTES_MAX + 1))) == (413, "body_too_large", "body")


@pytest.mark.parametrize(("path", "bytes_max"), [("/v1/increments", BODY_BYTES_MAX), ("/v1/files", FILE_BYTES_MAX)])
def test_a_body_that_does_not_say_how_large_it_is_is_read_no_further_than_it_may_be(
    api: Api, path: str, bytes_max: int
) -> None:
    assert problem(api.post(path, iter([b"x" * 100] * (bytes_max // 100 + 1)))) == (413, "body_too_large", "body")


def test_a_path_that_takes_files_takes_larger_bodies(api: Api) -> None:
    response = api.post("/v1/files", iter([b"x" * 100] * (FILE_BYTES_MAX // 100)))
    assert (response.status_code, response.json()) == (200, {"bytes": FILE_BYTES_MAX})


# What can go wrong on our side


@pytest.mark.parametrize(
    ("how", "expected", "retry_after"),
    [
        ("outage", (503, "unavailable", None), "2"),
        ("busy", (503, "unavailable", None), "2"),
        ("in-use", (409, "request_in_progress", "Idempotency-Key"), "1"),
        ("reused", (422, "idempotency_key_reused", "Idempotency-Key"), None),
        ("failed", (500, "internal_error", None), None),
        ("bug", (500, "internal_error", None), None),
        ("problem", (409, "taken", "seat"), None),
    ],
)
def test_a_failure_is_a_problem_that_tells_no_secrets(
    api: Api, how: str, expected: tuple[int, str, str | None], retry_after: str | None
) -> None:
    response = api.get(f"/v1/fails/{how}")
    assert problem(response) == expected
    assert response.headers.get("retry-after") == retry_after
    assert "secret" not in response.text


def test_while_the_database_is_away_requests_are_told_when_to_come_again(parts: Parts) -> None:
    answering = replace(service(), routes=routes, scopes=SCOPES)
    with parts.runtime(answering, request_seconds_max=0.5) as runtime, serving(runtime) as api:
        assert api.post("/v1/increments", ASK, key="k").json() == {"total": 1}
        with database_away(parts, runtime):
            response = api.post("/v1/increments", ASK, key="later")
            assert problem(response) == (503, "unavailable", None)
            assert response.headers["retry-after"] == "2"
            assert problem(api.post("/v1/increments", ASK, by="rival"))[0] == 503, "a client not yet known"
            assert api.get("/health").status_code == 200
        assert api.post("/v1/increments", ASK, key="later").json() == {"total": 2}
        assert api.post("/v1/increments", ASK, key="k").json() == {"total": 1}, "the stored answer"


# Same request, same answer


def test_the_same_request_has_the_same_answer(api: Api) -> None:
    first = api.post("/v1/increments", {"counter_id": "same"}, key="same")
    api.post("/v1/increments", {"counter_id": "same"})
    again = api.post("/v1/increments", {"counter_id": "same"}, key="same")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert problem(api.post("/v1/increments", {"counter_id": "same", "by": 2}, key="same"))[:2] == (
        422,
        "idempotency_key_reused",
    )


def test_an_answer_that_cant_be_made_fails_its_own_request_and_no_other(api: Api) -> None:
    """A bug that one request has found must not take the others' edge down."""
    assert problem(api.post("/v1/increments", {"counter_id": "unanswerable"})) == (500, "internal_error", None)
    assert problem(api.post("/v1/increments", {"counter_id": "unstorable\x00"})) == (500, "internal_error", None)
    assert api.post("/v1/increments", {"counter_id": "answerable"}).json() == {"total": 1}
    assert rows(api.runtime, "SELECT counter_id FROM counters WHERE counter_id LIKE '%able%'") == [("answerable",)]


def test_a_failure_of_ours_is_not_remembered(api: Api) -> None:
    Superstition.is_active = True
    body = {"counter_id": "unlucky", "by": UNLUCKY}
    assert problem(api.post("/v1/increments", body, key="unlucky")) == (500, "internal_error", None)
    Superstition.is_active = False
    assert api.post("/v1/increments", body, key="unlucky").json() == {"total": UNLUCKY}
    Superstition.is_active = True


# Operations


def test_that_it_lives_and_is_ready_everybody_may_know(api: Api) -> None:
    assert api.get("/health", by=None).text == "ok\n"
    assert api.get("/ready", by=None).json() == READINESS


def test_no_client_reads_metrics_for_they_tell_what_becomes_of_its_payments(api: Api) -> None:
    for who in (None, "shop", "staff"):
        refused = api.get("/metrics", by=who)
        assert problem(refused) == (401, "unauthenticated", None)
        assert "WEIR_METRICS_TOKEN" in refused.json()["detail"]
        assert refused.headers["www-authenticate"] == "Bearer"
    wrong = f"Bearer {METRICS_TOKEN[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1")
    assert problem(api.request("GET", "/metrics", headers={b"Authorization": wrong}))[0] == 401
    assert "http_requests_total" in api.metrics()


def test_not_ready_is_503_and_says_which_role(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READINESS, "worker", False)
    response = api.get("/ready", by=None)
    assert (response.status_code, response.json()) == (503, {"api": True, "worker": False})


def test_requests_are_counted_by_route_and_not_by_what_strangers_make_up(api: Api) -> None:
    for _ in range(3):
        api.get(f"/v1/things/{ids.new()}")
    api.get("/v1/made-up-by-a-stranger")
    api.get("/v1/fails/bug")
    api.post("/v1/increments", b"x" * (BODY_BYTES_MAX + 1))
    text = api.metrics()
    assert 'http_requests_total{method="GET",route="/v1/things/{thing_id}",status="200"}' in text
    assert 'http_requests_total{method="GET",route="unknown",status="404"}' in text
    assert 'http_requests_total{method="GET",route="/v1/fails/{how}",status="500"}' in text
    assert 'status="413"' in text
    assert "made-up" not in text


def test_each_request_has_an_id_and_a_trace_and_goes_on_with_the_callers(api: Api) -> None:
    thing = f"/v1/things/{ids.new()}"
    first, second = api.get(thing), api.get(thing)
    assert first.headers["x-request-id"] == first.json()["request_id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    theirs = tracing.begin().traceparent
    response = api.request("GET", thing, headers={**api.headers(), "traceparent": theirs})
    assert response.json()["traceparent"] == theirs
    response = api.request("GET", thing, headers={**api.headers(), "traceparent": "nonsense"})
    assert response.json()["traceparent"].startswith("00-")


def test_the_documentation_needs_nothing_from_elsewhere(api: Api) -> None:
    page = api.get("/docs", by=None)
    assert page.status_code == 200
    assert "https://" not in page.text
    assert api.get("/openapi.json", by=None).json()["info"]["title"] == "Tally"


def test_a_revoked_key_lets_nobody_in(api: Api) -> None:
    key = new_key()
    api.runtime.unit.administer(lambda tx: clients.register(tx, "guest", key, [Scope.READ]))
    with transaction(api.runtime.engine) as tx:
        ((stored,),) = fetch(tx, "SELECT key_hash::text FROM client_keys WHERE client_id = 'guest'")
    assert key not in stored, "only a hash is kept"
    api.runtime.unit.administer(lambda tx: clients.revoke(tx, "guest"))
    assert api.request("GET", f"/v1/things/{ids.new()}", headers={"Authorization": f"Bearer {key}"}).status_code == 401
