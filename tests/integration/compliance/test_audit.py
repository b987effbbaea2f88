"""The audit log on real parts: nothing is looked at or done without it, and nobody changes it unseen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from libs.common.errors import Outage
from libs.common.service import Runtime
from services.compliance import commands, travel_queries
from services.compliance.__main__ import SERVICE
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.people import Role
from services.compliance.scopes import SCOPES
from services.compliance.store import audit
from stack.services import as_environment
from tests import in_the_clear
from tests.deciding import decide
from tests.integration.compliance.scene import (
    ALIKE,
    LISTED,
    PASSWORD,
    case_of,
    initiated,
    order,
    registered,
    rows,
    suspended,
    to_another_bank,
)
from tests.integration.compliance.test_desk import signed_in
from tests.serving import Api, problem


@pytest.fixture
def api(compliance: Runtime, address: str) -> Iterator[Api]:
    found = Api(compliance, address)
    yield found
    found.close()


@pytest.fixture
def travelling(compliance: Runtime) -> str:
    """A payment that the travel rule asks about."""
    event = initiated(to_another_bank())
    decide(compliance, event)
    return event.payment_id


@pytest.fixture
def case_id(compliance: Runtime) -> str:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    return case_of(event)


def log(runtime: Runtime) -> list[Any]:
    return rows(runtime, "SELECT actor, role, verb, object_kind, object_id, details FROM audit_entries ORDER BY number")


def test_every_look_and_every_act_is_in_the_log_and_so_is_what_was_refused(
    compliance: Runtime, address: str, case_id: str
) -> None:
    in_the_clear.post(f"{address}/desk/sign-in", json={"username": "analyst", "password": "wrong password"})
    with signed_in(address, "analyst") as analyst:
        analyst.queue("open", limit=7)
        analyst.do("take", case_id)
        analyst.do("take", case_id)
        analyst.do("confirm", case_id, version=2)
        analyst.http.get("/desk/audit")
        analyst.http.post("/desk/sign-out", data={"csrf_token": analyst.csrf_token})
    found = [(verb, kind, object_id) for _, _, verb, kind, object_id, _ in log(compliance)]
    assert found == [
        ("sign_in_failed", "desk", ""),
        ("signed_in", "desk", ""),
        ("looked", "cases", ""),
        ("looked", "case", case_id),
        ("taken", "case", case_id),
        ("looked", "case", case_id),
        ("refused", "case", case_id),
        ("refused", "desk", ""),
        ("refused", "desk", ""),
        ("signed_out", "desk", ""),
    ]
    entries = log(compliance)
    assert entries[2][-1] == "queue=open&limit=7"
    assert entries[6][-1] == f"cases/{case_id}/take: already_taken"
    assert entries[8][-1] == "GET /desk/audit"
    assert {(actor, role) for actor, role, *_ in entries[1:]} == {("analyst", "analyst")}


def shown_of(route: str, compliance: Runtime, payment_id: str) -> tuple[str, str, str, str]:
    """Of a route that shows something: its path, and what is to be in the log of it."""
    customer = registered("Ann Miller")
    decide(compliance, customer)
    customer_id = customer.customer_id
    record = f"/v1/travel-rule/payments/{payment_id}"
    return {
        "POST /v1/screenings": ("/v1/screenings", "screening", "", "block fictional/F-002"),
        "GET /v1/lists": ("/v1/lists", "lists", "", ""),
        "GET /v1/alerts": (
            f"/v1/alerts?customer_id={customer_id}&state=open",
            *("alerts", customer_id, f"customer_id={customer_id}&state=open"),
        ),
        "GET /v1/silences": (
            f"/v1/silences?customer_id={customer_id}",
            *("silences", customer_id, f"customer_id={customer_id}"),
        ),
        "GET /v1/scenarios": ("/v1/scenarios", "scenarios", "", ""),
        "GET /v1/travel-rule/rules": ("/v1/travel-rule/rules", "travel_rules", "", ""),
        "GET /v1/travel-rule/payments/{payment_id}": (record, "payment", payment_id, ""),
        "GET /v1/travel-rule/payments/{payment_id}/message": (
            f"{record}/message",
            *("payment", payment_id, "message"),
        ),
        "GET /v1/customers/{customer_id}": (f"/v1/customers/{customer_id}", "customer", customer_id, ""),
    }[route]


@pytest.mark.parametrize("route", [route for route in SCOPES if route.startswith("GET") or "screenings" in route])
def test_what_a_program_is_shown_is_in_the_log_by_ids_alone_and_what_it_is_refused_is_not(
    compliance: Runtime, api: Api, travelling: str, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, *expected = shown_of(route, compliance, travelling)
    # What is missing is another test's: here it is about who sees what there is.
    monkeypatch.setattr(travel_queries, "written_message", lambda *_: b"{}")
    party = {"name": LISTED, "birth_date": "1974-11-02", "country": "IQ"}
    body = {"json": party} if route.startswith("POST") else {}
    refused, answered = (
        api.request(route.split()[0], path, headers=api.headers(by=by), **body) for by in ("shop", "staff")
    )
    assert (problem(refused)[0], answered.status_code) == (403, 200)
    assert log(compliance) == [("staff", "client", "looked", *expected)]
    assert LISTED not in str(log(compliance))


def test_what_there_is_not_is_no_look(compliance: Runtime, api: Api, case_id: str) -> None:
    for path in ("customers", "travel-rule/payments"):
        assert api.get(f"/v1/{path}/{case_id}", by="staff").status_code == 404
    assert log(compliance) == []


def test_nobody_is_shown_what_the_log_can_not_take(
    compliance: Runtime, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise Outage("away")

    monkeypatch.setattr(audit, "append", away)
    assert problem(api.get("/v1/alerts", by="staff"))[0] == 503


def test_what_an_operator_is_shown_is_in_the_log(
    compliance: Runtime, travelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in as_environment(compliance.settings).items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> int:
        return CliRunner().invoke(commands.app(SERVICE), [*words, "--actor", "ops"]).exit_code

    assert run("travel-rule", "show", travelling) == 0
    assert run("travel-rule", "write", travelling) == 1, "something is missing"
    monkeypatch.setattr(travel_queries, "written_message", lambda *_: b"{}")
    assert run("travel-rule", "write", travelling) == 0
    assert run("monitoring", "alerts", "--customer", travelling) == 0
    assert log(compliance) == [
        ("ops", "operator", "looked", "payment", travelling, ""),
        ("ops", "operator", "looked", "payment", travelling, "message"),
        ("ops", "operator", "looked", "alerts", travelling, ""),
    ]


def test_what_is_in_the_log_stays_there_even_in_the_database(compliance: Runtime, address: str) -> None:
    with signed_in(address, "auditor"):
        pass
    for statement in ("UPDATE audit_entries SET actor = 'me'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            rows(compliance, statement)


def test_whoever_changes_the_log_all_the_same_is_found_out_at_the_very_entry(compliance: Runtime, address: str) -> None:
    app, runner = commands.app(SERVICE), CliRunner()
    env = {"WEIR_DATABASE_URL": compliance.settings.database_dsn, "WEIR_REGISTRY_URL": compliance.settings.registry_url}
    with signed_in(address, "auditor") as auditor:
        for _ in range(3):
            auditor.queue()
        verified = auditor.http.get("/desk/api/audit/verification").json()
        assert (verified["is_intact"], verified["entries"], verified["first_fault"]) == (True, 5, None)
        fine = runner.invoke(app, ["verify-audit"], env=env)
        assert fine.exit_code == 0
        assert fine.output.startswith("the audit log is what was written: 5 entries, ")
        forge = """ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_are_final;
                   UPDATE audit_entries SET actor = 'somebody' WHERE number = 3;
                   ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_are_final"""
        compliance.unit.administer(lambda tx: tx.exec_driver_sql(forge))
        verified = auditor.http.get("/desk/api/audit/verification").json()
        assert verified["first_fault"] == {"number": 3, "what": "is not what was written"}
    broken = runner.invoke(app, ["verify-audit"], env=env)
    assert broken.exit_code == 1
    assert "entry 3 is not what was written" in broken.output


def test_many_looks_at_once_make_one_chain(compliance: Runtime, address: str) -> None:
    with signed_in(address, "auditor") as auditor:
        person = auditor.http.cookies

        def look(_: int) -> int:
            sent = in_the_clear.get(f"{address}/desk/api/cases", cookies=person, timeout=60)
            return sent.status_code

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(look, range(80))) == {200}
    verified = audit.verify(compliance.engine, entries_max=1_000)
    assert verified is not None
    assert (verified.entry_count, verified.fault) == (81, None)


def test_an_act_and_its_entry_are_committed_together(compliance: Runtime, address: str, case_id: str) -> None:
    with signed_in(address, "supervisor") as supervisor:
        supervisor.do("take", case_id, version=1)
    ((taken_at,),) = rows(compliance, "SELECT xmin::text FROM case_acts WHERE kind = 'taken'")
    ((entered_at,),) = rows(compliance, "SELECT xmin::text FROM audit_entries WHERE verb = 'taken'")
    assert taken_at == entered_at


def test_the_log_is_read_in_pages_by_person_and_by_what_it_is_about(
    compliance: Runtime, address: str, case_id: str
) -> None:
    with signed_in(address, "officer") as officer, signed_in(address, "analyst") as analyst:
        analyst.do("take", case_id)
        officer.case(case_id)
        about = officer.http.get("/desk/api/audit", params={"object_id": case_id}).json()["entries"]
        assert [(entry["actor"], entry["verb"]) for entry in about] == [
            ("officer", "looked"),
            ("analyst", "taken"),
            ("analyst", "looked"),
        ]
        older = officer.http.get("/desk/api/audit", params={"before": about[0]["number"], "limit": 1}).json()["entries"]
        assert [entry["number"] for entry in older] == [about[0]["number"] - 1]
        page = officer.http.get("/desk/audit", params={"actor": "analyst"}).text
        assert "taken" in page
        assert "officer</b>" not in page.partition("<table>")[2]


def test_what_administrators_do_is_in_the_log_without_any_password(compliance: Runtime, address: str) -> None:
    with signed_in(address, "administrator") as administrator:
        headers = {"X-CSRF-Token": administrator.csrf_token}
        added = administrator.http.post("/desk/api/users", json={"username": "fay", "role": "analyst"}, headers=headers)
        administrator.http.post("/desk/api/users/fay/role", json={"role": "auditor"}, headers=headers)
        administrator.http.post("/desk/api/users/fay/disable", headers=headers)
    done = [(verb, object_id, details) for _, _, verb, _, object_id, details in log(compliance)[1:]]
    assert done == [
        (AuditVerb.USER_ADDED, "fay", "analyst"),
        (AuditVerb.ROLE_CHANGED, "fay", "auditor, was analyst"),
        (AuditVerb.USER_DISABLED, "fay", ""),
    ]
    ((everything,),) = rows(compliance, "SELECT string_agg(e::text, ' ') FROM audit_entries e")
    assert added.json()["password"] not in everything
    assert PASSWORD not in everything
    assert {kind for _, _, _, kind, _, _ in log(compliance)} <= set(ObjectKind)
    assert {role for _, role, *_ in log(compliance)} <= set(Role)
