"""Labels: what payments turned out to be, reported over HTTP, stored, counted once, and published."""

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.service import Runtime
from schemas.compliance.events import CaseConcern, CaseDecision, CaseResolved
from schemas.fraud.events import PartyRiskUpdated, PartyRole
from services.fraud.domain import history
from services.fraud.views.assessments import AssessmentView
from services.fraud.views.labels import LabelsView
from services.fraud.views.rules import RulesView
from tests.deciding import decide
from tests.integration.fraud.scene import T0, initiated, order, rows
from tests.serving import Api, require

ANN, BOB = ids.new(), ids.new()


def report(api: Api, *labels: tuple[str, str], key: str = "", by: str = "staff", scenario: str | None = None) -> Any:
    body = {"labels": [{"payment_id": id_, "label": label, "scenario": scenario} for id_, label in labels]}
    return api.post("/v1/labels", body, by=by, key=key)


def pay(runtime: Runtime, *, days: int = 0, minor: int = 2_000) -> str:
    event = initiated(order(ANN, BOB, minor=minor, at=T0 + timedelta(days=days)))
    decide(runtime, event)
    return event.payment_id


def counted(runtime: Runtime, kind: str) -> tuple[int, int]:
    """How many labels a party's past holds, and how many of them say fraud."""
    ((packed,),) = rows(runtime, "SELECT history FROM entities WHERE kind = %s", (kind,), binary=True)
    labels = history.unpack(packed).labels
    return len(labels) - labels.count(0), labels.count(2)


def published(runtime: Runtime, topic: str = "fraud.label.v1") -> list[tuple[str, int]]:
    query = "SELECT key, (headers::json ->> 'ce_sequence')::int FROM outbox WHERE topic = %s ORDER BY id"
    return rows(runtime, query, (topic,))


def test_a_label_is_stored_counted_for_both_parties_and_published(api: Api) -> None:
    payment_id = pay(api.runtime)
    answer = report(api, (payment_id, "fraud"), scenario="stolen card")
    assert answer.status_code == 200
    assert answer.json() == {"labels": [{"payment_id": payment_id, "status": "labelled", "label": "fraud"}]}
    assert rows(api.runtime, "SELECT label, scenario FROM assessments") == [("fraud", "stolen card")]
    assert counted(api.runtime, "creditor") == counted(api.runtime, "debtor") == (1, 1)
    assert published(api.runtime) == [(BOB, 1)]


def test_a_correction_moves_the_count_and_does_not_add_to_it(api: Api) -> None:
    payment_id = pay(api.runtime)
    for label in ("fraud", "genuine", "genuine", "fraud"):
        assert report(api, (payment_id, label)).status_code == 200
    assert counted(api.runtime, "creditor") == (1, 1)
    # The repetition said nothing new.
    assert published(api.runtime) == [(BOB, 1), (BOB, 2), (BOB, 3)]
    assert published(api.runtime, "fraud.debtor-label.v1") == [(ANN, 1), (ANN, 2), (ANN, 3)]


def test_the_same_request_is_carried_out_once(api: Api) -> None:
    payment_id = pay(api.runtime)
    first, again = (report(api, (payment_id, "fraud"), key="once") for _ in range(2))
    assert first.json() == again.json()
    assert report(api, (payment_id, "genuine"), key="once").json()["reason"] == "idempotency_key_reused"
    assert counted(api.runtime, "creditor") == (1, 1)


def test_a_label_of_an_unknown_payment_is_refused_and_its_neighbours_are_not(api: Api) -> None:
    payment_id, stranger = pay(api.runtime), ids.new()
    answer = report(api, (stranger, "fraud"), (payment_id, "fraud"))
    require(LabelsView, answer)
    unknown, known = answer.json()["labels"]
    assert (unknown["status"], unknown["reason"], unknown["field"]) == ("refused", "payment_unknown", "payment_id")
    assert known["status"] == "labelled"


def test_a_thousand_labels_fit_in_one_request_and_one_more_does_not(api: Api) -> None:
    payment_id = pay(api.runtime)
    assert report(api, *[(payment_id, "fraud")] * 1_000).status_code == 200
    assert report(api, *[(payment_id, "fraud")] * 1_001).status_code == 422
    assert counted(api.runtime, "creditor") == (1, 1)


def test_only_the_two_labels_that_mean_something_are_taken(api: Api) -> None:
    assert report(api, (pay(api.runtime), "unknown")).status_code == 422


def test_what_is_internal_is_for_staff_only(api: Api) -> None:
    assert report(api, (ids.new(), "fraud"), by="reader").status_code == 403
    assert api.get(f"/v1/assessments/{ids.new()}").status_code == 403
    assert api.get("/v1/rules").status_code == 403


def test_an_assessment_shows_its_findings_and_its_label(api: Api) -> None:
    payment_id = pay(api.runtime, minor=9_000_000)
    report(api, (payment_id, "genuine"))
    answer = api.get(f"/v1/assessments/{payment_id}", by="staff")
    require(AssessmentView, answer)
    found = answer.json()
    assert (found["outcome"], found["label"], found["score"]) == ("review", "genuine", 0.7)
    assert [finding["rule"] for finding in found["findings"]] == ["amount_over_limit"]
    assert api.get(f"/v1/assessments/{ids.new()}", by="staff").status_code == 404


def test_each_rule_tells_how_often_it_fired_and_how_that_turned_out(api: Api) -> None:
    large = [pay(api.runtime, minor=9_000_000) for _ in range(3)]
    report(api, (large[0], "fraud"), (large[1], "genuine"), (large[2], "genuine"))
    report(api, (large[1], "fraud"))
    answer = api.get("/v1/rules", by="staff")
    require(RulesView, answer)
    shown = answer.json()
    rule = next(rule for rule in shown["rules"] if rule["rule"] == "amount_over_limit")
    assert rule == {
        "rule": "amount_over_limit",
        "meaning": "The amount is above what is usual on its channel.",
        "action": "score",
        "payments": 3,
        "labelled_fraud": 2,
        "labelled_genuine": 1,
        "precision": 0.6667,
        "recall": 1.0,
    }
    assert sum(outcome["labelled_fraud"] for outcome in shown["outcomes"]) == 2
    assert shown["versions"] == [shown["rules_version"]]


def test_labels_weigh_on_a_payee_once_the_delay_is_over(api: Api) -> None:
    early = [pay(api.runtime) for _ in range(2)]
    report(api, *[(payment_id, "fraud") for payment_id in early])
    for days, rules in ((6, []), (7, ["creditor_labelled_fraud"]), (13, ["creditor_labelled_fraud"]), (14, [])):
        found = api.get(f"/v1/assessments/{pay(api.runtime, days=days)}", by="staff").json()
        fired = [finding["rule"] for finding in found["findings"]]
        assert [rule for rule in fired if rule.startswith("creditor")] == rules, f"after {days} days"


def test_what_two_people_decide_about_a_suspicion_is_a_label(api: Api) -> None:
    payment_id = pay(api.runtime, minor=9_000_000)
    decided = CaseResolved(
        case_id=ids.new(),
        partition_key=ANN,
        payment_id=payment_id,
        decision=CaseDecision.REJECT,
        concerns=(CaseConcern.FRAUD,),
        proposed_by="ann",
        confirmed_by="ben",
        resolved_at=datetime.now(UTC),
    )
    decide(api.runtime, decided)
    decide(api.runtime, decided)
    assert rows(api.runtime, "SELECT label FROM assessments") == [("fraud",)]
    assert counted(api.runtime, "creditor") == counted(api.runtime, "debtor") == (1, 1)
    assert published(api.runtime) == [(BOB, 1)]


def snapshot(
    version: int, frauds: int, *, role: PartyRole = PartyRole.CREDITOR, account: str = BOB
) -> PartyRiskUpdated:
    return PartyRiskUpdated(
        party_id=f"{role.value}:{account}",
        role=role,
        account_id=account,
        labelled_count=10,
        fraud_count=frauds,
        counterpart_count=2,
        is_counterpart_count_exact=True,
        window_days=30,
        version=version,
        as_of=T0,
    )


def test_only_newer_snapshots_replace_what_is_known_and_answers_name_them(api: Api) -> None:
    decide(api.runtime, snapshot(7, 5), snapshot(2**41, 1, role=PartyRole.DEBTOR, account=ANN))
    decide(api.runtime, snapshot(6, 0), snapshot(7, 0))
    answer = api.get(f"/v1/assessments/{pay(api.runtime)}", by="staff")
    require(AssessmentView, answer)
    found = answer.json()
    assert found["values"]["creditor_snapshot_frauds"] == 5
    assert [finding["reason"] for finding in found["findings"]] == ["5 of 10 in the newest snapshot were fraud"]
    assert (found["debtor_snapshot_version"], found["creditor_snapshot_version"]) == (2**41, 7)
    later = api.get(f"/v1/assessments/{pay(api.runtime, days=31)}", by="staff").json()
    assert (later["debtor_snapshot_version"], later["creditor_snapshot_version"]) == (None, None)
