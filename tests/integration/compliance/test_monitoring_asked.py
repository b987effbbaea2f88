"""Monitoring as people ask for it, over HTTP for staff and on the command line: never without a name and a reason."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from libs.common import ids
from libs.common.service import Runtime
from schemas.compliance.events import CaseConcern, CaseResolved
from services.compliance import commands, list_changes
from services.compliance.__main__ import SERVICE
from services.compliance.domain.audit import Signature
from services.compliance.domain.rule_change import OF_LISTS, ChangeKind, RuleChange
from services.compliance.domain.silencing import ConfirmParameters
from services.compliance.monitoring_views import (
    AlertPage,
    ChangeView,
    CustomerSilenceView,
    ScenariosView,
    SilencesView,
)
from services.compliance.store import rule_changes
from stack.services import as_environment
from tests.deciding import decide
from tests.integration.compliance.scene import interventions, registered
from tests.integration.compliance.test_desk import signed_in
from tests.integration.compliance.test_monitoring import DAY, alerts, settled
from tests.serving import Api, problem, require, told

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=300)).isoformat()


@pytest.fixture
def api(compliance: Runtime, address: str) -> Iterator[Api]:
    found = Api(compliance, address)
    yield found
    found.close()


@pytest.fixture
def ann(compliance: Runtime) -> str:
    """A customer who has paid in more cash than may go unreported, on each of three days."""
    customer_id, till = ids.new(), ids.new()
    decide(compliance, registered("Ann Miller", customer_id=customer_id))
    for day in range(3):
        decide(compliance, settled(11_000, debtor=till, creditor=customer_id, after=day * DAY, is_cash=True))
    return customer_id


@pytest.fixture
def run(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs one of the operators' commands against the same database."""
    for name, value in as_environment(compliance.settings).items():
        monkeypatch.setenv(name, value)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(commands.app(SERVICE), words)

    return invoke


def test_staff_see_alerts_a_page_at_a_time_and_by_what_they_ask_for(api: Api, ann: str) -> None:
    seen, cursor = [], None
    for _ in range(2):
        page = api.get("/v1/alerts", by="staff", customer_id=ann, limit=2, **({"cursor": cursor} if cursor else {}))
        require(AlertPage, page)
        seen += page.json()["alerts"]
        cursor = page.json()["next_cursor"]
    assert cursor is None
    assert [alert["values"]["business_day"] for alert in seen] == ["2026-01-09", "2026-01-08", "2026-01-07"]
    assert {alert["case_id"] for alert in seen} == {seen[0]["case_id"]}
    assert (seen[0]["state"], seen[0]["case_status"], seen[0]["case_decision"]) == ("open", "open", None)
    assert not api.get("/v1/alerts", by="staff", scenario="fan_in").json()["alerts"]
    assert not api.get("/v1/alerts", by="staff", state="suppressed").json()["alerts"]


@pytest.mark.parametrize(
    ("path", "query"), [("/v1/alerts", {"cursor": "x"}), ("/v1/alerts", {"scenario": "x"}), ("/v1/silences", {})]
)
def test_what_makes_no_sense_is_refused(api: Api, path: str, query: dict[str, str]) -> None:
    assert problem(api.get(path, by="staff", **query))[:2] == (422, "invalid")


def test_who_is_no_staff_must_not_know_that_monitoring_exists(api: Api) -> None:
    for path in ("/v1/alerts", "/v1/silences", "/v1/scenarios"):
        assert problem(api.get(path))[0] == 403


def test_a_customer_is_suppressed_with_a_reason_and_an_end_and_no_more(api: Api, compliance: Runtime, ann: str) -> None:
    said = {"customer_id": ann, "scenario": "cash_report", "kind": "suppress", "until": NEXT_YEAR, "reason": "a till"}
    made = api.post("/v1/silences", said, by="staff")
    assert made.status_code == 201, made.text
    require(CustomerSilenceView, made)
    assert (made.json()["reason"], made.json()["by"]) == ("a till", "staff")
    decide(compliance, settled(11_000, debtor=ids.new(), creditor=ann, after=6 * DAY, is_cash=True))
    assert alerts(compliance, ann)[-1] == ("cash_report", "suppressed")
    ended = api.post("/v1/silences/endings", {k: said[k] for k in ("customer_id", "scenario", "reason")}, by="staff")
    assert ended.status_code == 200, ended.text
    listed = api.get("/v1/silences", by="staff", customer_id=ann)
    require(SilencesView, listed)
    assert [one["kind"] for one in listed.json()["silences"]] == [None, "suppress"]
    decide(compliance, settled(11_000, debtor=ids.new(), creditor=ann, after=7 * DAY, is_cash=True))
    assert alerts(compliance, ann)[-1] == ("cash_report", "open")


def test_who_left_a_customer_alone_sees_at_the_desk_what_that_keeps_silent(
    api: Api, compliance: Runtime, address: str, ann: str
) -> None:
    page = "/desk/silences"
    said = {"customer_id": ann, "scenario": "cash_report", "kind": "suppress", "until": NEXT_YEAR, "reason": "a till"}
    with signed_in(address, "supervisor") as supervisor:
        before = supervisor.http.get(page, params={"customer_id": ann}).text
        assert "No alert about this customer is silent." in before
        assert api.post("/v1/silences", said, by="staff").status_code == 201
        hidden = settled(12_345, debtor=ids.new(), creditor=ann, after=6 * DAY, is_cash=True)
        decide(compliance, hidden)
        assert alerts(compliance, ann)[-1] == ("cash_report", "suppressed")
        of_ann = supervisor.http.get(page, params={"customer_id": ann}).text.partition("What is kept silent")[2]
        assert "$12,345" in of_ann and hidden.payment_id in of_ann
        assert of_ann.count("What it looks for") == 1, "and not those that are in a case"
        assert hidden.payment_id not in supervisor.http.get(page).text
        refused = {**said, "until": "2020-01-01T00:00", "csrf_token": supervisor.csrf_token}
        told = supervisor.http.post(page, data=refused)
        assert (told.status_code, hidden.payment_id in told.text) == (422, False), "what is shown is a look"
    with signed_in(address, "administrator") as administrator:
        assert administrator.http.get(page, params={"customer_id": ann}).status_code == 403


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"customer_id": ids.new()}, (409, "customer_unknown", "customer_id")),
        ({"until": "2020-01-01T00:00:00Z"}, (409, "end_passed", "until")),
        ({"until": "2099-01-01T00:00:00Z"}, (409, "end_too_far", "until")),
        ({"reason": " "}, (422, "invalid", "reason")),
    ],
)
def test_silence_that_may_not_be_is_refused(
    api: Api, ann: str, changed: dict[str, str], expected: tuple[int, str, str]
) -> None:
    said = {"customer_id": ann, "scenario": "fan_in", "kind": "snooze", "until": NEXT_YEAR, "reason": "x", **changed}
    assert problem(api.post("/v1/silences", said, by="staff")) == expected


def confirm(compliance: Runtime, change_id: str) -> None:
    for name in ("olga", "oscar"):
        # It came from outside the desk: olga makes it hers.
        (decided,) = decide(compliance, ConfirmParameters(change_id=change_id, by=name, role="officer", reason=""))
        assert decided.refusal is None


def test_parameters_are_set_from_a_day_on_by_two_people_for_a_reason(api: Api, compliance: Runtime) -> None:
    body = {
        "scenario": "cash_report",
        "parameters": {"above_cents": 500_000},
        "effective_from": NEXT_YEAR,
        "reason": "tighter",
    }
    made = api.post("/v1/scenarios", body, by="staff")
    assert made.status_code == 201, made.text
    require(ChangeView, made)
    assert (made.json()["status"], made.json()["by"], made.json()["reason"]) == ("proposed", "staff", "tighter")
    confirm(compliance, made.json()["change_id"])
    listed = api.get("/v1/scenarios", by="staff")
    require(ScenariosView, listed)
    to_come, in_force = (one for one in listed.json()["scenarios"] if one["scenario"] == "cash_report")
    assert (to_come["parameters"]["above_cents"], to_come["by"], to_come["reason"]) == (
        *(500_000, "olga, confirmed by oscar"),
        "tighter",
    )
    assert (in_force["parameters"]["above_cents"], in_force["by"]) == (1_000_000, "weir")
    faulty = {**body, "parameters": {"above": 1}}
    assert problem(api.post("/v1/scenarios", faulty, by="staff")) == (422, "invalid_parameters", "parameters")


def test_the_same_is_done_on_the_command_line(run: Callable[..., Result], compliance: Runtime, ann: str) -> None:
    done = run(
        "monitoring", "set", "cash_report", "above_cents=20_000_00", "--reason", "a trial", "--actor", "ben", "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["above_cents"] == 2_000_000
    (change,) = rule_changes.list_waiting(compliance.engine, {ChangeKind.SET_PARAMETERS})
    confirm(compliance, change.change_id)
    lines = [json.loads(line) for line in run("monitoring", "scenarios", "--json").stdout.splitlines()]
    (now,) = (line for line in lines if line["scenario"] == "cash_report")
    assert (now["parameters"]["above_cents"], now["by"], now["reason"]) == (
        *(2_000_000, "olga, confirmed by oscar"),
        "a trial",
    )
    end = NEXT_YEAR[:19]
    done = run("monitoring", "suppress", ann, "cash_report", "--until", end, "--reason", "a till", "--actor", "ben")
    assert done.exit_code == 0, done.output
    assert run("monitoring", "end-silence", ann, "cash_report", "--reason", "no till", "--actor", "ben").exit_code == 0
    assert run("monitoring", "end-silence", ann, "cash_report", "--reason", "no till", "--actor", "ben").exit_code == 1
    told = [json.loads(line) for line in run("monitoring", "alerts", "--customer", ann, "--json").stdout.splitlines()]
    assert len(told) == 3
    assert interventions(compliance)[:3] == ["monitoring end-silence", "monitoring suppress", "monitoring set"]


def test_the_case_is_at_the_desk_as_any_other_with_its_reason_in_words(
    compliance: Runtime, address: str, ann: str
) -> None:
    with signed_in(address) as analyst:
        (row,) = (case for case in analyst.queue()["cases"] if case["customer_id"] == ann)
        assert row["reasons"] == ["cash_report"]
        page = analyst.http.get(f"/desk/cases/{row['case_id']}")
        assert page.status_code == 200
        assert "Ann Miller" in page.text and "Cash to be reported" in page.text
        alerts = analyst.case(row["case_id"])["page"]["alerts"]
        assert {alert["what"] for alert in alerts} == {"Cash to be reported"}
        assert all(alert["reason"] in page.text for alert in alerts)
        assert all(payment_id in page.text for alert in alerts for payment_id in alert["payment_ids"])
        assert "do not serve" not in page.text, "what is decided about an alert says nothing of that"
        assert analyst.do("take", row["case_id"]).status_code == 200
        proposed = analyst.do("propose", row["case_id"], decision="reject", note="to be reported")
        assert proposed.json()["status"] == "proposed"
    with signed_in(address, "analyst2") as other:
        assert other.do("confirm", row["case_id"]).json()["status"] == "resolved"
    resolved = [event for event in told(compliance) if isinstance(event, CaseResolved)]
    assert [event.concerns for event in resolved] == [(CaseConcern.MONITORING,)]


def test_a_newer_list_of_countries_takes_the_place_of_the_old_one(
    run: Callable[..., Result], compliance: Runtime, tmp_path: Path
) -> None:
    assert "KP: call_for_action from 2011-02-25" in run("monitoring", "countries").stdout
    path = tmp_path / "fatf.csv"
    path.write_text("country,list,from,until\nDE,increased_monitoring,2026-01-01,\n")
    proposed = run("monitoring", "import-countries", str(path))
    assert (proposed.exit_code, "until another person confirms" in proposed.output) == (0, True)
    assert "KP: call_for_action from 2011-02-25" in run("monitoring", "countries").stdout, "one alone takes none off"
    (change,) = rule_changes.list_waiting(compliance.engine, OF_LISTS)
    assert "KP (call_for_action)" in change.said
    for name, became in (("root", "proposed"), ("adam", "confirmed")):
        by = Signature(actor=name, role="administrator")
        decided = compliance.unit.administer(partial(list_changes.confirm, change_id=change.change_id, by=by))
        assert isinstance(decided, RuleChange)
        assert decided.status == became
    assert run("monitoring", "countries").stdout == "DE: increased_monitoring from 2026-01-01\n"
    path.write_text("country,list,from,until\nDE,increased_monitoring,whenever,\n")
    refused = run("monitoring", "import-countries", str(path))
    assert (refused.exit_code, "row 1" in refused.output) == (1, True)
    assert run("monitoring", "countries").stdout == "DE: increased_monitoring from 2026-01-01\n"
