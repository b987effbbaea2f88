"""What is wrong with an order is refused at its place, and nothing of it is stored."""

import csv
import io
import json
from typing import Any

import pytest

from libs.common import ids
from libs.common.service import Runtime
from tests.integration.payments.scene import (
    ANNS,
    BENS,
    BODY_BYTES_MAX,
    CLOSED,
    FILE_BYTES_MAX,
    FROZEN,
    UNKNOWN,
    YENS,
    order,
    stored,
)
from tests.serving import Api, problem

INVALID = [
    ("currency", ...),
    ("currency", "ZZZ"),
    ("currency", "eur"),
    ("amount", ...),
    ("amount", "0"),
    ("amount", "0.00"),
    ("amount", "-1"),
    ("amount", "12.345"),
    ("amount", "1e3"),
    ("amount", "NaN"),
    ("amount", "\N{ARABIC-INDIC DIGIT ONE}"),
    ("amount", 12.34),
    ("amount", "9" * 39),
    ("debtor", ...),
    ("debtor.account_id", "7"),
    ("debtor.name", ""),
    ("debtor.name", "   "),
    ("debtor.name", "A\x00nn"),
    ("debtor.name", "Ann\N{RIGHT-TO-LEFT OVERRIDE}"),
    ("creditor.account_id", BENS.upper()),
    ("creditor.name", "B\nen"),
    ("reference", "a\x1b[2J"),
    ("instructed_at", "2026-01-05T09:00:00"),
    ("amuont", "12.34"),
]
"""What can be seen to be wrong without looking anything up."""

REFUSED = [
    ("debtor.account_id", UNKNOWN, (422, "debtor_account_unknown", "debtor.account_id")),
    ("creditor.account_id", UNKNOWN, (422, "creditor_account_unknown", "creditor.account_id")),
    ("creditor.account_id", ANNS, (422, "same_account", "creditor.account_id")),
    ("creditor.account_id", YENS, (422, "currency_not_held", "currency")),
    ("currency", "USD", (422, "currency_not_held", "currency")),
    ("debtor.account_id", FROZEN, (409, "debtor_account_unavailable", "debtor.account_id")),
    ("creditor.account_id", CLOSED, (409, "creditor_account_unavailable", "creditor.account_id")),
]
"""What can be seen to be wrong only beside what payments knows of accounts."""


@pytest.mark.parametrize(("place", "value"), INVALID)
def test_an_order_that_makes_no_sense_is_refused_at_its_place(api: Api, place: str, value: Any) -> None:
    assert problem(api.post("/v1/payments", order(place, value))) == (422, "invalid", place)
    assert stored(api.runtime) == {}


@pytest.mark.parametrize(("place", "value", "expected"), REFUSED)
def test_an_order_that_cant_be_carried_out_is_refused_and_only_the_answer_is_kept(
    api: Api, place: str, value: Any, expected: tuple[int, str, str]
) -> None:
    assert problem(api.post("/v1/payments", order(place, value))) == expected
    assert stored(api.runtime) == {"idempotency_keys": 1}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"amount": ', b"[" * 2_000])
@pytest.mark.parametrize("path", ["/v1/payments"])
def test_what_is_not_json_is_refused(api: Api, path: str, body: bytes) -> None:
    assert problem(api.post(path, body)) == (400, "malformed_json", "body")
    assert stored(api.runtime) == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"pay"'])
def test_json_that_is_no_order_is_refused(api: Api, body: bytes) -> None:
    assert problem(api.post("/v1/payments", body)) == (422, "invalid", "body")
    assert stored(api.runtime) == {}


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payment-batches", f"/v1/payments/{ids.new()}/cancel"])
def test_every_order_needs_a_key(api: Api, path: str) -> None:
    for key, reason in ((None, "idempotency_key_missing"), ("x" * 201, "idempotency_key_invalid")):
        assert problem(api.post(path, order(), key=key)) == (400, reason, "Idempotency-Key")
    assert stored(api.runtime) == {}


def test_a_body_that_is_too_large_is_refused_wherever_it_goes(api: Api) -> None:
    oversize = json.dumps(order("debtor.name", "x" * BODY_BYTES_MAX)).encode()
    assert problem(api.post("/v1/payments", oversize)) == (413, "body_too_large", "body")
    assert problem(api.post("/v1/payments", iter([oversize]))) == (413, "body_too_large", "body")
    csv_file = {"Content-Type": "text/csv"}
    too_much = b"x" * (FILE_BYTES_MAX + 1)
    assert problem(api.post("/v1/payment-batches", too_much, headers=csv_file)) == (413, "body_too_large", "body")
    assert stored(api.runtime) == {}


def test_who_may_not_order_orders_nothing(api: Api) -> None:
    for path in ("/v1/payments", "/v1/payment-batches", f"/v1/payments/{ids.new()}/cancel"):
        assert problem(api.post(path, order(), by=None))[:2] == (401, "unauthenticated")
        assert problem(api.post(path, order(), by="reader"))[:2] == (403, "forbidden")
    for path in ("/v1/payments", f"/v1/payments/{ids.new()}", f"/v1/payment-batches/{ids.new()}"):
        assert problem(api.get(path, by="writer"))[:2] == (403, "forbidden")
    assert stored(api.runtime) == {}


# The same faults in a line of a file


def json_file(*bodies: Any) -> bytes:
    return b"\n".join(body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies)


def line_refusals(api: Api, body: bytes, media_type: str) -> list[tuple[int, str, str | None]]:
    answer = api.post("/v1/payment-batches", body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["lines"] == found["accepted"] + found["refused"]
    assert len(found["refusals"]) == found["refused"]
    return [(refusal["line"], refusal["reason"], refusal["field"]) for refusal in found["refusals"]]


def payments_of(runtime: Runtime) -> dict[str, int]:
    return {
        table: count for table, count in stored(runtime).items() if table in ("payments", "outbox", "refused_lines")
    }


def test_each_bad_json_line_is_refused_at_its_place_and_the_others_are_paid(api: Api) -> None:
    bad = [order(place, value) for place, value in INVALID] + [order(place, value) for place, value, _ in REFUSED]
    broken = [b"{", b"\xff\xfe", b"[]", b"x" * 8_193]
    refusals = line_refusals(api, json_file(order(), *bad, *broken, order()), "application/x-ndjson")
    assert [line for line, _, _ in refusals] == list(range(2, 2 + len(bad) + len(broken)))
    fields = [field for _, _, field in refusals]
    assert fields == [place for place, _ in INVALID] + [expected[2] for _, _, expected in REFUSED] + [None] * 4
    assert [reason for _, reason, _ in refusals][-4:] == ["malformed", "malformed", "wrong_type", "line_too_long"]
    assert payments_of(api.runtime) == {"payments": 2, "outbox": 2, "refused_lines": len(bad) + len(broken)}


def test_each_bad_csv_line_is_refused_at_its_place_and_the_others_are_paid(api: Api) -> None:
    header = ["debtor_account_id", "debtor_name", "creditor_account_id", "creditor_name", "currency", "amount"]
    good = [ANNS, "Ann", BENS, "Ben", "EUR", "1.00"]

    def row(column: int, value: str) -> list[str]:
        return [*good[:column], value, *good[column + 1 :]]

    bad = [
        (row(0, "7"), "not_an_id", "debtor.account_id"),
        (row(0, UNKNOWN), "debtor_account_unknown", "debtor.account_id"),
        (row(1, ""), "missing", "debtor.name"),
        (row(1, "A\x07nn"), "control_characters", "debtor.name"),
        (row(2, ANNS), "same_account", "creditor.account_id"),
        (row(4, "ZZZ"), "unknown_currency", "currency"),
        (row(5, "0"), "not_positive", "amount"),
        (row(5, "-5"), "not_positive", "amount"),
        (row(5, "1.005"), "too_precise", "amount"),
        (row(5, "1,00"), "not_a_decimal", "amount"),
        ([*good, "more"], "malformed", None),
        (good[:-1], "malformed", None),
    ]
    text = io.StringIO()
    csv.writer(text).writerows([header, good, *(cells for cells, _, _ in bad), good])
    refusals = line_refusals(api, text.getvalue().encode(), "text/csv")
    assert refusals == [(number, reason, field) for number, (_, reason, field) in enumerate(bad, 2)]
    assert payments_of(api.runtime) == {"payments": 2, "outbox": 2, "refused_lines": len(bad)}


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        ("application/json", b"{}", (415, "unsupported_media_type", "Content-Type")),
        ("", b"{}", (415, "unsupported_media_type", "Content-Type")),
        ("text/csv", b"", (422, "wrong_columns", "header")),
        ("text/csv", b"amount,currency\n1,EUR\n", (422, "wrong_columns", "header")),
        ("text/csv", b"\x00\xff\n", (422, "wrong_columns", "header")),
        ("application/x-ndjson", b"", (422, "empty_file", "body")),
        ("application/x-ndjson", b"\n \r\n\n", (422, "empty_file", "body")),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(
    api: Api, media_type: str, body: bytes, expected: tuple[int, str, str]
) -> None:
    assert problem(api.post("/v1/payment-batches", body, headers={"Content-Type": media_type})) == expected
    assert stored(api.runtime) == {}


@pytest.mark.parametrize("path", ["/v1/payments/7", "/v1/payment-batches/7", "/v1/payments/%00"])
def test_what_is_no_id_is_refused(api: Api, path: str) -> None:
    status, reason, field = problem(api.get(path))
    assert (status, reason) == (422, "invalid")
    assert field in ("payment_id", "batch_id")
