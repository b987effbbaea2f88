"""Payments assessed before they are made: the same path, an answer for whoever asks, and grounds for staff."""

from typing import Any

import pytest

from libs.common import ids
from libs.common.database import execute
from libs.common.service import Runtime
from schemas.fraud.events import FraudAssessed, FraudOutcome
from services.fraud.views.assessments import AdviceView, AssessmentView
from tests.deciding import decide
from tests.integration.fraud.scene import ANN, BOB, assess, fault, initiated, order, rows, wish
from tests.serving import Api, problem, require, told

LARGE = "90000.00"


def assessed(runtime: Runtime) -> list[FraudAssessed]:
    return [event for event in told(runtime) if isinstance(event, FraudAssessed)]


def test_a_payment_is_judged_before_it_is_made_and_becomes_part_of_its_parties_past(api: Api) -> None:
    answer = api.post("/v1/assessments", wish(amount=LARGE, device_id="phone"), by="staff")
    require(AdviceView, answer)
    advice = answer.json()
    assert advice["outcome"] == "review"
    assert [finding["rule"] for finding in advice["grounds"]["findings"]] == ["amount_over_limit"]
    assert sorted(kind for (kind,) in rows(api.runtime, "SELECT kind::text FROM entities")) == [
        "creditor",
        "debtor",
        "device",
    ]


def test_nobody_is_told_of_a_payment_that_is_not_made(api: Api) -> None:
    assess(api, amount=LARGE)
    assert assessed(api.runtime) == []


def test_a_plain_client_learns_the_outcome_and_nothing_of_its_grounds(api: Api) -> None:
    answer = api.post("/v1/assessments", wish(amount=LARGE), by="shop")
    require(AdviceView, answer)
    assert (answer.json()["outcome"], answer.json()["grounds"]) == ("review", None)


def test_the_same_request_is_judged_once(api: Api) -> None:
    first, again = (api.post("/v1/assessments", wish(), by="shop", key="monday") for _ in range(2))
    assert first.content == again.content
    assert rows(api.runtime, "SELECT count(*) FROM assessments") == [(1,)]
    other = api.post("/v1/assessments", wish(amount="21.00"), by="shop", key="monday")
    assert problem(other) == (422, "idempotency_key_reused", "Idempotency-Key")


def test_a_key_gives_one_client_another_payment_than_the_next(api: Api) -> None:
    answers = [api.post("/v1/assessments", wish(), by=by, key="monday").json() for by in ("shop", "rival")]
    assert len({answer["payment_id"] for answer in answers}) == 2


def test_made_later_a_payment_has_its_answer_already_and_is_counted_once(api: Api) -> None:
    payment_id = ids.new()
    advice = assess(api, payment_id=payment_id, amount=LARGE)
    decide(api.runtime, initiated(order(ANN, BOB, minor=9_000_000), payment_id))
    (event,) = assessed(api.runtime)
    assert (event.payment_id, event.outcome, event.score) == (payment_id, "review", advice["grounds"]["score"])
    assert rows(api.runtime, "SELECT sum(payments)::int FROM tallies WHERE counted = 'review'") == [(1,)]


def test_a_payment_that_is_made_otherwise_than_it_was_asked_about_is_looked_at_by_people(api: Api) -> None:
    payment_id = ids.new()
    assert assess(api, payment_id=payment_id)["outcome"] == "allow"
    decide(api.runtime, initiated(order(ANN, BOB, minor=9_000_000), payment_id))
    (event,) = assessed(api.runtime)
    assert event.outcome is FraudOutcome.REVIEW
    assert [finding.rule for finding in event.findings] == ["assessed_otherwise"]


def test_who_asks_about_another_payment_under_an_id_in_use_learns_nothing(api: Api) -> None:
    event = initiated(order(ANN, BOB))
    decide(api.runtime, event)
    other = wish(payment_id=event.payment_id, debtor={"account_id": ids.new()})
    assert problem(api.post("/v1/assessments", other)) == (409, "another_payment", "payment_id")


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"amount": "0"}, "not_positive", "amount"),
        ({"amount": "-3"}, "not_positive", "amount"),
        ({"amount": "1.234"}, "too_precise", "amount"),
        ({"amount": "ten"}, "not_a_decimal", "amount"),
        ({"amount": 12.5}, "wrong_type", "amount"),
        ({"amount": "9" * 16}, "too_large", "amount"),
        ({"currency": "ZZZ"}, "unknown_currency", "currency"),
        ({"channel": "pigeon"}, "not_in_list", "channel"),
        ({"channel": "unknown"}, "not_in_list", "channel"),
        ({"debtor": {"account_id": "ann"}}, "not_an_id", "debtor.account_id"),
        ({"creditor": {"account_id": ANN}}, "same_account", "creditor"),
        ({"ip_country": "Germany"}, "wrong_value", "ip_country"),
        ({"instructed_at": "2026-03-02T12:00:00"}, "wrong_value", "instructed_at"),
        ({"payment_id": "4711"}, "not_an_id", "payment_id"),
        ({"name": "Ann"}, "unknown_field", "name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(
    api: Api, changes: dict[str, Any], reason: str, field: str
) -> None:
    assert fault(api.post("/v1/assessments", wish(**changes))) == (422, reason, field)


def test_who_may_not_write_may_not_ask_and_every_request_needs_a_key(api: Api) -> None:
    assert problem(api.post("/v1/assessments", wish(), by="reader"))[:2] == (403, "forbidden")
    assert problem(api.post("/v1/assessments", wish(), key=None))[:2] == (400, "idempotency_key_missing")


def test_an_assessment_shows_the_value_of_every_feature_it_went_by(api: Api) -> None:
    payment_id = assess(api, amount="123.45", device_id="phone", ip_country="FR")["payment_id"]
    answer = api.get(f"/v1/assessments/{payment_id}", by="staff")
    require(AssessmentView, answer)
    shown = answer.json()
    assert (shown["amount"], shown["currency"]) == ("123.45", "EUR")
    values = shown["values"]
    assert (values["amount"], values["channel"], values["ip_country"], values["debtor_country"]) == (
        123.45,
        "mobile",
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
