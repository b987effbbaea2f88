"""Labels: what payments turned out to be, reported over HTTP, stored, counted once, and published."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from libs.common import clients, ids
from libs.common.clients import Scope
from libs.common.service import Runtime
from schemas.fraud.events import CreditorRiskUpdated
from services.fraud.domain import label_days
from services.fraud.views import AssessmentView, LabelsView, RulesView
from tests.deciding import decide
from tests.integration.fraud.scene import T0, initiated, order, rows
from tests.serving import listening, require

ANN, BOB = ids.new(), ids.new()


class Caller:
    """A client of fraud's API."""

    def __init__(self, http: httpx.Client, key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"}

    def label(self, *labels: tuple[str, str], key: str | None = None, scenario: str | None = None) -> Any:
        body = {"labels": [{"payment_id": id_, "label": label, "scenario": scenario} for id_, label in labels]}
        headers = {**self._headers, "Idempotency-Key": key or ids.new()}
        return self._http.post("/v1/labels", json=body, headers=headers)

    def get(self, path: str) -> Any:
        return self._http.get(path, headers=self._headers)


@pytest.fixture(scope="module")
def http(wired: Runtime) -> Iterator[httpx.Client]:
    with listening(wired) as address, httpx.Client(base_url=address) as http:
        yield http


@pytest.fixture
def staff(fraud: Runtime, http: httpx.Client) -> Caller:
    key = clients.new_key()
    fraud.unit.administer(lambda tx: clients.register(tx, "desk", key, [Scope.WRITE, Scope.STAFF]))
    return Caller(http, key)


@pytest.fixture
def shop(fraud: Runtime, http: httpx.Client) -> Caller:
    key = clients.new_key()
    fraud.unit.administer(lambda tx: clients.register(tx, "shop", key, [Scope.READ]))
    return Caller(http, key)


def pay(runtime: Runtime, *, days: int = 0, minor: int = 2_000) -> str:
    event = initiated(order(ANN, BOB, minor=minor, at=T0 + timedelta(days=days)))
    decide(runtime, event)
    return event.payment_id


def counted(runtime: Runtime, kind: str) -> tuple[int, int]:
    ((packed,),) = rows(runtime, "SELECT label_days FROM entities WHERE kind = %s", (kind,), binary=True)
    found = label_days.count(label_days.unpack(packed), after_day=0, until_day=10**6)
    return found.labelled, found.fraud


def published(runtime: Runtime) -> list[tuple[str, int]]:
    query = """SELECT key, (headers::json ->> 'ce_sequence')::int FROM outbox
                WHERE topic = 'fraud.label.v1' ORDER BY id"""
    return rows(runtime, query)


def test_a_label_is_stored_counted_for_both_parties_and_published(fraud: Runtime, staff: Caller) -> None:
    payment_id = pay(fraud)
    answer = staff.label((payment_id, "fraud"), scenario="stolen card")
    assert answer.status_code == 200
    assert answer.json() == {"labels": [{"payment_id": payment_id, "status": "labelled", "label": "fraud"}]}
    assert rows(fraud, "SELECT label, scenario FROM assessments") == [("fraud", "stolen card")]
    assert counted(fraud, "creditor") == counted(fraud, "debtor") == (1, 1)
    assert published(fraud) == [(BOB, 1)]


def test_a_correction_moves_the_count_and_does_not_add_to_it(fraud: Runtime, staff: Caller) -> None:
    payment_id = pay(fraud)
    for label in ("fraud", "genuine", "genuine", "fraud"):
        assert staff.label((payment_id, label)).status_code == 200
    assert counted(fraud, "creditor") == (1, 1)
    # The repetition said nothing new.
    assert published(fraud) == [(BOB, 1), (BOB, 2), (BOB, 3)]


def test_the_same_request_is_carried_out_once(fraud: Runtime, staff: Caller) -> None:
    payment_id = pay(fraud)
    first, again = (staff.label((payment_id, "fraud"), key="once") for _ in range(2))
    assert first.json() == again.json()
    assert staff.label((payment_id, "genuine"), key="once").json()["reason"] == "idempotency_key_reused"
    assert counted(fraud, "creditor") == (1, 1)


def test_a_label_of_an_unknown_payment_is_refused_and_its_neighbours_are_not(fraud: Runtime, staff: Caller) -> None:
    payment_id, stranger = pay(fraud), ids.new()
    answer = staff.label((stranger, "fraud"), (payment_id, "fraud"))
    require(LabelsView, answer)
    unknown, known = answer.json()["labels"]
    assert (unknown["status"], unknown["reason"], unknown["field"]) == ("refused", "payment_unknown", "payment_id")
    assert known["status"] == "labelled"


def test_a_thousand_labels_fit_in_one_request_and_one_more_does_not(fraud: Runtime, staff: Caller) -> None:
    payment_id = pay(fraud)
    assert staff.label(*[(payment_id, "fraud")] * 1_000).status_code == 200
    assert staff.label(*[(payment_id, "fraud")] * 1_001).status_code == 422
    assert counted(fraud, "creditor") == (1, 1)


def test_only_the_two_labels_that_mean_something_are_taken(fraud: Runtime, staff: Caller) -> None:
    assert staff.label((pay(fraud), "unknown")).status_code == 422


def test_what_is_internal_is_for_staff_only(shop: Caller) -> None:
    assert shop.label((ids.new(), "fraud")).status_code == 403
    assert shop.get(f"/v1/assessments/{ids.new()}").status_code == 403
    assert shop.get("/v1/rules").status_code == 403


def test_an_assessment_shows_its_findings_and_its_label(fraud: Runtime, staff: Caller) -> None:
    payment_id = pay(fraud, minor=9_000_000)
    staff.label((payment_id, "genuine"))
    answer = staff.get(f"/v1/assessments/{payment_id}")
    require(AssessmentView, answer)
    found = answer.json()
    assert (found["outcome"], found["label"], found["score"]) == ("review", "genuine", 0.7)
    assert [finding["rule"] for finding in found["findings"]] == ["amount_over_limit"]
    assert staff.get(f"/v1/assessments/{ids.new()}").status_code == 404


def test_each_rule_tells_how_often_it_fired_and_how_that_turned_out(fraud: Runtime, staff: Caller) -> None:
    large = [pay(fraud, minor=9_000_000) for _ in range(3)]
    staff.label((large[0], "fraud"), (large[1], "genuine"), (large[2], "genuine"))
    staff.label((large[1], "fraud"))
    answer = staff.get("/v1/rules")
    require(RulesView, answer)
    shown = answer.json()
    rule = next(rule for rule in shown["rules"] if rule["rule"] == "amount_over_limit")
    assert rule == {
        "rule": "amount_over_limit",
        "meaning": "The amount is above what is usual on its channel.",
        "is_applied": True,
        "payments": 3,
        "labelled_fraud": 2,
        "labelled_genuine": 1,
        "precision": 0.6667,
    }
    assert sum(outcome["labelled_fraud"] for outcome in shown["outcomes"]) == 2
    assert shown["versions"] == [shown["rules_version"]]


def test_labels_weigh_on_a_payee_once_the_delay_is_over(fraud: Runtime, staff: Caller) -> None:
    early = [pay(fraud) for _ in range(2)]
    staff.label(*[(payment_id, "fraud") for payment_id in early])
    for days, rules in ((6, []), (7, ["creditor_labelled_fraud"]), (13, ["creditor_labelled_fraud"]), (14, [])):
        found = staff.get(f"/v1/assessments/{pay(fraud, days=days)}").json()
        fired = [finding["rule"] for finding in found["findings"]]
        assert [rule for rule in fired if rule.startswith("creditor")] == rules, f"after {days} days"


def snapshot(version: int, frauds: int) -> CreditorRiskUpdated:
    return CreditorRiskUpdated(
        creditor_account_id=BOB, labelled_count=10, fraud_count=frauds, window_days=30, version=version, as_of=T0
    )


def test_only_newer_snapshots_replace_what_is_known_and_a_decision_names_the_one_it_used(
    fraud: Runtime, staff: Caller
) -> None:
    decide(fraud, snapshot(7, 5))
    decide(fraud, snapshot(6, 0), snapshot(7, 0))
    found = staff.get(f"/v1/assessments/{pay(fraud)}").json()
    assert found["risk_version"] == 7
    assert [finding["reason"] for finding in found["findings"]] == ["5 of 10 in 30 days were fraud, says snapshot 7"]
