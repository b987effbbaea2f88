"""The travel rule on real parts: what is missing is told, and supplied by clients, by people and by messages."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.compliance.events import ComplianceScreened, ScreeningOutcome
from schemas.payments.events import (
    Institution,
    InternalReason,
    PaymentDataSupplied,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentSuspended,
)
from services.compliance import commands
from services.compliance.__main__ import SERVICE
from services.compliance.travel_api import MessageView, TakenView, TravelRecordView, TravelRulesView
from stack.services import as_environment
from tests.deciding import Announcer, decide
from tests.integration.compliance.scene import NOW, case_of, initiated, interventions, rows, suspended, to_another_bank
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.serving import Api, problem, require, running, told
from tests.waiting import wait_until

MISSING = ["debtor.birth_date", "debtor.birth_place", "creditor.kind", "creditor.account_number"]
DEBTOR = {"birth_date": "1980-02-03", "birth_place": "Ghent"}
CREDITOR = {"kind": "company", "account_number": "CH9300762011623852957"}


@pytest.fixture
def api(compliance: Runtime, address: str) -> Iterator[Api]:
    found = Api(compliance, address)
    yield found
    found.close()


@pytest.fixture
def ann(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address) as analyst:
        yield analyst


@pytest.fixture
def run(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs one of the operators' commands against the same database."""
    for name, value in as_environment(compliance.settings).items():
        monkeypatch.setenv(name, value)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(commands.app(SERVICE), words)

    return invoke


def answers(compliance: Runtime) -> list[ComplianceScreened]:
    """What compliance has answered and no relay has published yet."""
    return [event for event in told(compliance) if isinstance(event, ComplianceScreened)]


def waits(event: PaymentInitiated) -> PaymentSuspended:
    """Payments suspends it for what is missing."""
    evidence = PaymentEvidence(
        fraud_outcome="allow", compliance_outcome="incomplete", compliance_missing=tuple(MISSING), funds_outcome="held"
    )
    return replace(suspended(event), reasons=(InternalReason.PARTY_DATA_MISSING,), evidence=evidence)


@pytest.fixture
def waiting(compliance: Runtime) -> PaymentInitiated:
    """A payment to another bank that waits for data about its parties."""
    event = initiated(to_another_bank())
    decide(compliance, event)
    decide(compliance, waits(event))
    return event


def incoming(name: str = "John Smith", beneficiary: str = "Ann Miller") -> PaymentOrder:
    """A payment that another bank has sent us."""
    bank = Institution(name="Other Bank", country="US")
    ordered = replace(to_another_bank(), debtor_institution=bank, creditor_institution=None)
    personal = ordered.personal
    assert isinstance(personal, PaymentPersonalData)
    debtor, creditor = replace(personal.debtor, name=name), replace(personal.creditor, name=beneficiary)
    return replace(ordered, personal=replace(personal, debtor=debtor, creditor=creditor))


MESSAGE: dict[str, Any] = {
    "originator": {
        "originatorPersons": [
            {
                "naturalPerson": {
                    "name": [
                        {"primaryIdentifier": "Smith", "secondaryIdentifier": "John", "nameIdentifierType": "LEGL"}
                    ],
                    "dateAndPlaceOfBirth": {"dateOfBirth": "1980-02-03", "placeOfBirth": "Ghent"},
                }
            }
        ],
        "accountNumber": ["US-4711"],
    },
    "beneficiary": {
        "beneficiaryPersons": [
            {
                "naturalPerson": {
                    "name": [
                        {"primaryIdentifier": "Miller", "secondaryIdentifier": "Ann", "nameIdentifierType": "LEGL"}
                    ]
                }
            }
        ]
    },
}


def test_what_is_missing_goes_over_the_topic_and_again_when_payments_tells_more(compliance: Runtime) -> None:
    event = initiated(to_another_bank())
    announcer = Announcer(compliance, PaymentInitiated, PaymentDataSupplied)
    announcer.announce(event)
    with running(compliance.consumer.run):
        wait_until(lambda: len(answers(compliance)) == 1)
        (first,) = answers(compliance)
        assert (first.outcome, list(first.missing)) == (ScreeningOutcome.INCOMPLETE, MISSING)
        personal = event.order.personal
        assert isinstance(personal, PaymentPersonalData)
        supplied = replace(personal, debtor=replace(personal.debtor, **DEBTOR))
        more = PaymentDataSupplied(
            payment_id=event.payment_id, order=replace(event.order, personal=supplied), supplied_at=NOW
        )
        announcer.announce(more)
        wait_until(lambda: len(answers(compliance)) == 2)
    assert list(answers(compliance)[1].missing) == MISSING[2:]


def test_a_payment_within_the_house_leaves_no_record(compliance: Runtime) -> None:
    decide(compliance, initiated())
    assert rows(compliance, "SELECT * FROM travel_records") == []


def supplied_by(person: Analyst, case_id: str, **of: Any) -> Any:
    seen = person.case(case_id).get("version", 0)
    body = {"version": seen, "debtor": DEBTOR, "creditor": CREDITOR} | of
    headers = {"X-CSRF-Token": person.csrf_token}
    return person.http.post(f"/desk/api/cases/{case_id}/party-data", json=body, headers=headers)


def test_a_person_supplies_what_is_missing_and_the_payment_goes_on(
    compliance: Runtime, waiting: PaymentInitiated, ann: Analyst
) -> None:
    answer = supplied_by(ann, case_of(waiting))
    assert (answer.status_code, answer.json()["missing"]) == (200, "")
    last = answers(compliance)[-1]
    assert (last.outcome, last.missing) == (ScreeningOutcome.CLEAR, ())


def test_what_is_supplied_is_in_no_log(compliance: Runtime, waiting: PaymentInitiated, ann: Analyst) -> None:
    supplied_by(ann, case_of(waiting))
    logged = str(rows(compliance, "SELECT details FROM audit_entries")) + str(
        rows(compliance, "SELECT note FROM case_acts")
    )
    assert "debtor.birth_place" in logged
    assert "Ghent" not in logged


def test_what_is_supplied_must_make_sense(waiting: PaymentInitiated, ann: Analyst) -> None:
    answer = supplied_by(ann, case_of(waiting), debtor={"birth_date": "soon"})
    assert problem(answer) == (422, "invalid", "debtor.birth_date")
    assert problem(supplied_by(ann, case_of(waiting), version=7))[:2] == (409, "stale")
    assert supplied_by(ann, ids.new(), version=1).status_code == 404


def test_the_page_shows_what_is_missing_and_takes_it(waiting: PaymentInitiated, ann: Analyst) -> None:
    path = f"/desk/cases/{case_of(waiting)}"
    page = ann.http.get(path).text
    assert all(f'name="{field}"' in page for field in MISSING)
    form = {"version": "1", "csrf_token": ann.csrf_token, "debtor.birth_place": "Ghent", "creditor.kind": "company"}
    wrong = ann.http.post(f"{path}/party-data", data={**form, "debtor.birth_date": "soon"})
    assert (wrong.status_code, "debtor.birth_date" in wrong.text) == (422, True)
    assert ann.http.post(f"{path}/party-data", data={**form, "csrf_token": "forged"}).status_code == 403
    done = ann.http.post(f"{path}/party-data", data=form, follow_redirects=True)
    assert done.status_code == 200
    assert 'name="debtor.birth_place"' not in done.text
    assert 'name="debtor.birth_date"' in done.text


def test_a_message_is_written_once_nothing_is_missing(
    compliance: Runtime, waiting: PaymentInitiated, ann: Analyst, api: Api
) -> None:
    path = f"/v1/travel-rule/payments/{waiting.payment_id}"
    assert problem(api.get(f"{path}/message", by="staff")) == (409, "message_incomplete", "debtor.kind")
    supplied_by(ann, case_of(waiting), debtor={**DEBTOR, "kind": "person"})
    answer = api.get(f"{path}/message", by="staff")
    require(MessageView, answer)
    found = MessageView.model_validate_json(answer.content)
    assert found.beneficiary["accountNumber"] == [CREDITOR["account_number"]]
    assert found.beneficiaryVASP is not None
    assert found.originatingVASP is not None


def test_a_message_about_a_payment_that_came_in_is_read(compliance: Runtime, api: Api) -> None:
    event = initiated(incoming())
    decide(compliance, event)
    path = f"/v1/travel-rule/payments/{event.payment_id}"
    before = api.get(path, by="staff")
    require(TravelRecordView, before)
    assert "debtor.account_number" in before.json()["missing"]
    taken = api.post(f"{path}/message", MESSAGE, by="staff")
    require(TakenView, taken)
    after = TakenView.model_validate_json(taken.content)
    assert (after.missing, api.get(path, by="staff").json()["has_message"]) == ([], True)
    kept = rows(compliance, "SELECT convert_from(answer, 'UTF8') FROM idempotency_keys")
    assert kept and not any(told in str(kept) for told in ("Smith", "1980-02-03", "Ghent"))
    assert after.tellings[0].fields == [
        *("debtor.birth_date", "debtor.kind", "debtor.account_number", "debtor.birth_place"),
    ]
    assert answers(compliance)[-1].missing == ()


def test_a_message_that_is_wrong_is_refused_with_its_field(compliance: Runtime, api: Api) -> None:
    event = initiated(incoming())
    decide(compliance, event)
    path = f"/v1/travel-rule/payments/{event.payment_id}/message"
    without = {**MESSAGE, "originator": {}}
    refused = (422, "invalid_message", "originator.originatorPersons")
    assert problem(api.post(path, without, by="staff")) == refused
    about_another = initiated(incoming("Jane Doe"))
    decide(compliance, about_another)
    other = f"/v1/travel-rule/payments/{about_another.payment_id}/message"
    assert problem(api.post(other, MESSAGE, by="staff")) == refused
    card = json.dumps(MESSAGE).replace("Ghent", "4111\\u00a01111\\u00a01111\\u00a01111").encode()
    assert problem(api.post(path, card, by="staff")) == (422, "card_number", "body")
    unknown = f"/v1/travel-rule/payments/{ids.new()}/message"
    assert api.post(unknown, MESSAGE, by="staff").status_code == 404
    assert api.post(path, MESSAGE).status_code == 403


def test_staff_sees_which_rules_are_in_force(api: Api) -> None:
    answer = api.get("/v1/travel-rule/rules", by="staff")
    require(TravelRulesView, answer)
    rules = TravelRulesView.model_validate_json(answer.content).rules
    assert {rule.source for rule in rules if rule.jurisdiction == "US"} >= {"31 CFR 1010.410(f)"}


def test_the_same_on_the_command_line(compliance: Runtime, run: Callable[..., Result], tmp_path: Path) -> None:
    event = initiated(incoming())
    decide(compliance, event)
    path = tmp_path / "message.json"
    path.write_text(json.dumps(MESSAGE))
    assert json.loads(run("travel-rule", "rules", "--json").stdout.splitlines()[0])["rule"] == "us_funds"
    assert "debtor.kind" in json.loads(run("travel-rule", "show", event.payment_id).stdout)["missing"]
    assert json.loads(run("travel-rule", "check", str(path)).stdout) == MESSAGE
    assert run("travel-rule", "read", event.payment_id, str(path), "--actor", "ops").stdout == "nothing is missing\n"
    assert interventions(compliance)[0] == "travel-rule read"
    refused = run("travel-rule", "write", event.payment_id)
    assert (refused.exit_code, "creditor.kind" in refused.stderr) == (1, True)
    path.write_text("{}")
    broken = run("travel-rule", "check", str(path))
    assert (broken.exit_code, "originator" in broken.stderr) == (1, True)
    assert run("travel-rule", "show", "nonsense").exit_code == 1
