"""Payments assessed before they are made: the same path, an answer for whoever asks, and grounds for staff."""

from typing import Any

import pytest

from libs.common import ids
from libs.common.database import execute
from libs.common.service import Runtime
from schemas.fraud.events import FraudAssessed
from services.fraud.views.assessments import AdviceView, AssessmentView
from tests.deciding import decide
from tests.integration.fraud.scene import ANN, BOB, assess, fault, initiated, order, rows, wish
from tests.serving import Api, problem, require, told

LARGE = "90000.00"


def assessed(runtime: Runtime) -> list[FraudAssessed]:
    return [event for event in told(runtime) if isinstance(event, FraudAssessed)]


def test_a_payment_is_judged_before_it_is_made_and_becomes_part_of_nobodys_past(api: Api) -> None:
    answer = api.post("/v1/assessments", wish(amount=LARGE, device_id="phone"), by="staff")
    require(AdviceView, answer)
    advice = answer.json()
    assert advice["outcome"] == "review"
    assert [finding["rule"] for finding in advice["grounds"]["findings"]] == ["amount_over_limit"]
    pasts = rows(api.runtime, "SELECT octet_length(history) + octet_length(blocked) FROM entities")
    assert pasts == [(0,)] * 3
    assert rows(api.runtime, "SELECT count(*)::int FROM tallies") == [(0,)]


def test_nobody_is_told_of_a_payment_that_is_not_made(api: Api) -> None:
    assess(api, amount=LARGE)
    assert assessed(api.runtime) == []


def test_who_is_no_staff_may_not_try_how_far_it_may_go(api: Api) -> None:
    assert problem(api.post("/v1/assessments", wish(amount=LARGE), by="shop"))[:2] == (403, "forbidden")


def test_the_same_request_is_judged_once(api: Api) -> None:
    first, again = (api.post("/v1/assessments", wish(), by="staff", key="monday") for _ in range(2))
    assert first.content == again.content
    assert rows(api.runtime, "SELECT count(*) FROM assessments") == [(1,)]
    other = api.post("/v1/assessments", wish(amount="21.00"), by="staff", key="monday")
    assert problem(other) == (422, "idempotency_key_reused", "Idempotency-Key")


def test_made_later_a_payment_is_judged_for_itself(api: Api) -> None:
    """However often it was asked about: asking costs nothing, and so must change nothing."""
    for _ in range(3):
        assess(api, amount=LARGE, channel="file")
    event = initiated(order(ANN, BOB, minor=9_000_000))
    decide(api.runtime, event)
    (told_of,) = assessed(api.runtime)
    assert (told_of.payment_id, told_of.outcome) == (event.payment_id, "review")
    values = api.get(f"/v1/assessments/{event.payment_id}", by="staff").json()["values"]
    assert values["debtor_attempts_1d"] == 1


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"amount": "0"}, "not_positive", "amount"),
        ({"amount": "-3"}, "not_positive", "amount"),
        ({"amount": "1.234"}, "too_precise", "amount"),
        ({"amount": "ten"}, "not_a_decimal", "amount"),
        ({"amount": 12.5}, "wrong_type", "amount"),
        ({"amount": "9" * 16}, "too_large", "amount"),
        ({"currency": "QQQ"}, "unknown_currency", "currency"),
        ({"channel": "pigeon"}, "not_in_list", "channel"),
        ({"channel": "unknown"}, "not_in_list", "channel"),
        ({"debtor": {"account_id": "ann"}}, "not_an_id", "debtor.account_id"),
        ({"creditor": {"account_id": ANN}}, "same_account", "creditor"),
        ({"ip_country": "Germany"}, "wrong_value", "ip_country"),
        ({"instructed_at": "2026-03-02T12:00:00"}, "wrong_value", "instructed_at"),
        ({"payment_id": ids.new()}, "unknown_field", "payment_id"),
        ({"name": "Ann"}, "unknown_field", "name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(
    api: Api, changes: dict[str, Any], reason: str, field: str
) -> None:
    assert fault(api.post("/v1/assessments", wish(**changes), by="staff")) == (422, reason, field)


def test_who_may_not_write_may_not_ask_and_every_request_needs_a_key(api: Api) -> None:
    assert problem(api.post("/v1/assessments", wish(), by="reader"))[:2] == (403, "forbidden")
    assert problem(api.post("/v1/assessments", wish(), by="staff", key=None))[:2] == (400, "idempotency_key_missing")


def test_an_assessment_shows_the_value_of_every_feature_it_went_by(api: Api) -> None:
    payment_id = assess(api, amount="123.45", device_id="phone", ip_country="FR")["payment_id"]
    answer = api.get(f"/v1/assessments/{payment_id}", by="staff")
    require(AssessmentView, answer)
    shown = answer.json()
    assert (shown["amount"], shown["currency"]) == ("123.45", "EUR")
    values = shown["values"]
    assert (values["amount"], values["channel"], values["ip_country"], values["debtor_country"]) == (
        123.45,
        "branch",
        "FR",
        "DE",
    )
    assert (values["debtor_attempts_1d"], values["is_cash"], values["debtor_average_30d"]) == (1, False, None)
    assert (shown["contributions"], shown["unexplained"], shown["shadows"]) == (None, None, [])


def test_an_assessment_of_a_version_that_is_gone_still_shows_its_findings(api: Api) -> None:
    payment_id = assess(api, amount=LARGE)["payment_id"]
    gone = "UPDATE assessments SET rules_version = 'lost'"
    api.runtime.unit.administer(lambda tx: execute(tx, gone))
    answer = api.get(f"/v1/assessments/{payment_id}", by="staff")
    require(AssessmentView, answer)
    shown = answer.json()
    assert [finding["rule"] for finding in shown["findings"]] == ["amount_over_limit"]
    assert (shown["values"], shown["unexplained"]) == (None, "a version that judged it is not known here")


def test_assessments_are_for_staff(api: Api) -> None:
    payment_id = assess(api)["payment_id"]
    assert problem(api.get(f"/v1/assessments/{payment_id}", by="shop"))[:2] == (403, "forbidden")
    assert problem(api.get(f"/v1/assessments/{ids.new()}", by="staff")) == (404, "not_found", "payment_id")
