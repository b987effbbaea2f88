"""Roles on real parts: every route of the desk, asked for by every role."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from schemas.payments.events import Finding
from services.compliance import commands, list_changes, whitelist_import
from services.compliance.__main__ import SERVICE
from services.compliance.domain.acts import CaseCommand, ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.audit import Signature
from services.compliance.domain.case import Case
from services.compliance.domain.casework import AddTask, LinkPayment
from services.compliance.domain.people import Role
from services.compliance.domain.rule_change import ChangeKind
from services.compliance.domain.silencing import SetParameters, SilenceScenario
from services.compliance.domain.whitelist import pair_id_of
from services.compliance.domain.whitelisting import ConfirmPair, EndPair, ProposePair
from services.compliance.importing import import_list, parse_list
from services.compliance.matching.subject import Subject
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import SilenceKind
from services.compliance.monitoring.parameters import Scenario
from services.compliance.store import rule_changes
from services.compliance.whitelist_import import WhitelistFile
from tests import in_the_clear
from tests.deciding import decide
from tests.integration.compliance.reports import FORM, as_json, filing_on, property_report_on
from tests.integration.compliance.scene import (
    ALIKE,
    ALIKE_BORN,
    NOW,
    PASSWORD,
    add_people,
    blocked,
    case_of,
    initiated,
    order,
    registered,
    rows,
    suspended,
    to_another_bank,
)
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.unit.compliance.test_roles import WHO

OTHER = "analyst1"
LINKED = ids.new()
"""A payment that has to do with others."""
BODIES: dict[str, dict[str, Any]] = {
    "assign": {"assignee": OTHER},
    "snooze": {"until": (NOW + timedelta(days=1)).isoformat()},
    "escalate": {"to": "officer"},
    "finish-task": {"task": 1},
    "link-payment": {"payment_id": LINKED},
    "unlink-payment": {"payment_id": LINKED},
    "propose": {"decision": "reject", "note": "why"},
    "role": {"role": "analyst"},
    "users": {"role": "analyst"},
}
"""What a route asks for besides a version and a note, by its last word."""


@pytest.fixture(scope="module")
def everybody(wired: Runtime, address: str) -> Iterator[dict[Role, Analyst]]:
    with ExitStack() as stack:
        yield {role: stack.enter_context(signed_in(address, role.value)) for role in Role}


@pytest.fixture
def scene(wired: Runtime, everybody: dict[Role, Analyst]) -> "Scene":
    return Scene(wired)


class Scene:
    """Puts a case where a verb needs it, whoever is to do it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def case_for(self, verb: str, actor: str) -> str:
        event = initiated(
            to_another_bank() if verb == "party-data" else order(creditor=ALIKE, creditor_born=ALIKE_BORN)
        )
        decide(self.runtime, event, suspended(event))
        if verb in ("link-payment", "unlink-payment"):
            decide(self.runtime, initiated(order(), payment_id=LINKED))
        case_id = case_of(event)
        for number, command in enumerate(self._before(verb, actor, case_id), 1):
            decide(self.runtime, command(number))
        return case_id

    def _about(self, case_id: str) -> dict[str, Any]:
        return {"case_id": case_id, "actor": OTHER, "role": Role.SUPERVISOR}

    def _before(self, verb: str, actor: str, case_id: str) -> Any:
        def take(by: str) -> Any:
            return lambda version: TakeCase(case_id=case_id, actor=by, role=Role.ANALYST, version=version)

        def propose(version: int) -> CaseCommand:
            return ProposeDecision(
                case_id=case_id,
                actor=OTHER,
                role=Role.ANALYST,
                version=version,
                decision=CaseDecision.REJECT,
                note="no",
            )

        def confirm(version: int) -> CaseCommand:
            about = {**self._about(case_id), "actor": "analyst2"}
            return ConfirmDecision(**about, version=version, note="")

        match verb:
            case "release" | "propose" | "snooze" | "escalate":
                return (take(actor),)
            case "finish-task":
                return (lambda version: AddTask(**self._about(case_id), version=version, note="ask"),)
            case "unlink-payment":
                return (
                    lambda version: LinkPayment(
                        **self._about(case_id), version=version, payment_id=LINKED, note="alike"
                    ),
                )
            case "reopen":
                return take(OTHER), propose, confirm
            case "take-over":
                return (take(OTHER),)
            case "confirm" | "return":
                return (take(OTHER), propose)
        return ()


def asked(scene: Scene, person: Analyst, role: Role, route: str) -> httpx.Response:
    """The answer to a request that makes sense, but perhaps not from this person."""
    method, path = route.split(" ")
    verb = path.rpartition("/")[2]
    username = f"x{ids.new()[-8:]}"
    if "{case_id}" in path:
        path = path.replace("{case_id}", scene.case_for(verb, role.value))
    if "{username}" in path:
        decide_user(scene.runtime, username)
        path = path.replace("{username}", username)
    if "/property-reports" in path:
        return asked_about_property(scene, person, method, path)
    if "{customer_id}" in path:
        return asked_about_customer(scene, person, method, path)
    if "/filings" in path:
        return asked_about_filings(scene, person, method, path, verb)
    if verb == "{number}":
        about = {"case_id": path.split("/")[-3]}
        with signed_in(str(person.http.base_url), "officer") as officer:
            token = {"X-CSRF-Token": officer.csrf_token}
            officer.http.post("/desk/api/files", data=about, files={"file": ("a.txt", b"text")}, headers=token)
        return person.http.get(path.replace("{number}", "1"))
    if "/whitelist/rule-changes/{change_id}" in path:
        return asked_about_file_of_pairs(scene, person, method, path)
    if path.endswith("/lists/changes"):
        return person.http.get(path, params=two_versions(scene.runtime))
    if method == "GET":
        return person.http.get(path, params={"q": "miller"} if verb == "search" else None)
    if re.search("/(lists|scenarios|silences)", path):
        return asked_about_rules(scene, person, path)
    if path.endswith("/whitelist/imports"):
        return asked_to_import_pairs(scene, person, path)
    if "/whitelist" in path:
        return asked_about_pairs(scene, person, path)
    body = {**BODIES.get(verb, {}), **({"username": username} if verb == "users" else {})}
    if verb == "files":
        csrf, about = {"X-CSRF-Token": person.csrf_token}, {"case_id": scene.case_for(verb, "")}
        form = {**about, "csrf_token": person.csrf_token}
        return person.http.post(path, data=form, files={"file": ("a.txt", b"text")}, headers=csrf)
    if verb == "party-data":
        version = person_version(scene.runtime, path)
        if "/api/" in path:
            supplied = {"version": version, "debtor": {"birth_place": "Ghent"}}
            return person.http.post(path, json=supplied, headers={"X-CSRF-Token": person.csrf_token})
        form = {"version": str(version), "debtor.birth_place": "Ghent", "csrf_token": person.csrf_token}
        return person.http.post(path, data=form)
    if "/alike/" in path:
        return asked_of_several(scene, person, role, path, verb)
    if "/cases/" in path:
        body = {"note": "why", "version": person_version(scene.runtime, path), **body}
    if verb == "next":
        scene.case_for(verb, "")
    if "/api/" in path:
        json = body if body else None
        return person.http.post(path, json=json, headers={"X-CSRF-Token": person.csrf_token})
    return person.http.post(path, data={**body, "csrf_token": person.csrf_token})


def asked_of_several(scene: Scene, person: Analyst, role: Role, path: str, verb: str) -> httpx.Response:
    case_id = path.split("/")[-2] if "/api/" not in path else scene.case_for(verb, role.value)
    hits = (Finding(source="un/1", score=0.9, reason="resembles"),)
    find = "SELECT payment_id, body FROM cases WHERE case_id = %s"
    ((payment_id, body),) = rows(scene.runtime, find, case_id)
    case = msgspec.json.decode(body, type=Case)
    assert case.payment is not None
    hit = replace(case, payment=replace(case.payment, evidence=replace(case.payment.evidence, compliance_hits=hits)))
    scene.runtime.unit.administer(
        lambda tx: tx.exec_driver_sql(
            "UPDATE cases SET body = %s WHERE payment_id = %s", (msgspec.json.encode(hit).decode(), payment_id)
        )
    )
    about = {"note": "why", "decision": "reject"}
    if "/api/" in path:
        cases = [{"case_id": case_id, "version": case.version}]
        headers = {"X-CSRF-Token": person.csrf_token}
        return person.http.post(path, json={**about, "cases": cases}, headers=headers)
    form = {**about, "cases": f"{case_id} {case.version}", "csrf_token": person.csrf_token}
    return person.http.post(path, data=form)


def asked_about_customer(scene: Scene, person: Analyst, method: str, path: str) -> httpx.Response:
    event = registered("Ann Miller")
    decide(scene.runtime, event)
    path = path.replace("{customer_id}", event.customer_id)
    if method == "GET":
        return person.http.get(path)
    document = {"kind": "passport", "number": "P1", "country": "DE", "name": "Ann Miller"}
    if "/api/" in path:
        return person.http.post(path, json=document, headers={"X-CSRF-Token": person.csrf_token})
    return person.http.post(path, data={**document, "csrf_token": person.csrf_token})


def asked_about_property(scene: Scene, person: Analyst, method: str, path: str) -> httpx.Response:
    event = blocked()
    decide(scene.runtime, event)
    about = {"kind": "blocked", "payment_id": event.payment_id}
    if "{filing_id}" in path:
        path = path.replace("{filing_id}", property_report_on(scene.runtime, event.payment_id))
    if method == "GET":
        return person.http.get(path, params=about if path.endswith("new") else {})
    body = {"remarks": "none", **({"version": 1} if "revise" in path or "edit" in path else about)}
    if "/api/" in path:
        return person.http.post(path, json=body, headers={"X-CSRF-Token": person.csrf_token})
    form = {**{name: str(value) for name, value in body.items()}, "request_id": ids.new()}
    return person.http.post(path, data={**form, "csrf_token": person.csrf_token})


def asked_about_filings(scene: Scene, person: Analyst, method: str, path: str, verb: str) -> httpx.Response:
    case_id = scene.case_for("take", "")
    filing_id = ""
    if verb not in ("new", "filings"):
        number = ids.new() if verb == "review" else ""
        filing_id = filing_on(scene.runtime, case_id, approved=verb == "filed", number=number)
    path = path.replace("{filing_id}", filing_id).replace("{verb}", "withdraw")
    if method == "GET":
        return person.http.get(path, params={"case_id": case_id} if verb == "new" else {})
    version = {"filed": 2, "review": 3}.get(verb, 1)
    if "/api/" in path:
        body = {"version": version, "note": "why"} if verb == "{verb}" else {"version": version, "sar": as_json()}
        if verb == "filings":
            body = {"case_id": case_id, "detected_on": FORM["detected_on"], "sar": as_json()}
        return person.http.post(path, json=body, headers={"X-CSRF-Token": person.csrf_token})
    form = {**FORM, "case_id": case_id, "version": version, "request_id": ids.new(), "csrf_token": person.csrf_token}
    filed = {"note": "why", "document_number": "1", "filed_on": FORM["detected_on"]}
    return person.http.post(path, data={**form, **filed})


def two_versions(runtime: Runtime) -> dict[str, int]:
    """Those of a list that was imported twice."""

    def take_in(tx: Connection) -> int:
        file = parse_list({"own.csv": f"entity_id,kind,name\n1,person,{ids.new()} Sproot\n".encode()})
        found = import_list(tx, "own", file, by=Signature(actor="root", role="operator"), shrink_max=0.3)
        assert found.import_id is not None
        return found.import_id

    return {"before": runtime.unit.administer(take_in), "after": runtime.unit.administer(take_in)}


def asked_about_rules(scene: Scene, person: Analyst, path: str) -> httpx.Response:
    headers, token = {"X-CSRF-Token": person.csrf_token}, {"csrf_token": person.csrf_token}
    if path.endswith("/imports"):
        file = {"file": ("own.csv", f"entity_id,kind,name\n1,person,{ids.new()} Sproot\n".encode())}
        return person.http.post(path, data={"name": "own", **token}, files=file, headers=headers)
    if "/rule-changes" in path:
        return asked_about_changes(scene, person, path)
    if path.endswith("/rescreen"):
        return person.http.post(path, data=token, headers=headers)
    if path.endswith("/retire"):
        two_versions(scene.runtime)
        return person.http.post(path.replace("{name}", "own"), data=token, headers=headers)
    if "/scenarios" in path:
        form = {"p_is_on": "true", "p_watches": "everyone", "p_quiet_hours": "720", "p_above_cents": "1000000"}
        path = path.replace("{scenario}", "cash_report")
        return person.http.post(path, data={**form, "reason": "why", **token})
    customer_id, until = ids.new(), NOW + timedelta(days=30)
    decide(scene.runtime, registered("Ann Miller", customer_id=customer_id))
    about = {"customer_id": customer_id, "scenario": "fan_in", "reason": "why"}
    if path.endswith("/end"):
        of: dict[str, Any] = {
            "customer_id": customer_id,
            "scenario": Scenario.FAN_IN,
            "kind": SilenceKind.SUPPRESS,
            "until": until,
        }
        decide(scene.runtime, SilenceScenario(**of, reason="why", by=OTHER, role="supervisor"))
    return person.http.post(path, data={**about, "kind": "suppress", "until": until.isoformat(), **token})


def asked_about_changes(scene: Scene, person: Analyst, path: str) -> httpx.Response:
    """About a change that another person has proposed."""
    if "/lists" in path:
        two_versions(scene.runtime)
        by = Signature(actor=OTHER, role="administrator")
        proposed = scene.runtime.unit.administer(lambda tx: list_changes.propose_retirement(tx, "own", by=by))
        assert proposed is not None
        change_id = proposed.change_id
    else:
        found = parameters.read(Scenario.CASH_REPORT, {"above_cents": 900_000})
        told: dict[str, Any] = {"by": OTHER, "role": "officer", "reason": "why"}
        decide(
            scene.runtime,
            SetParameters(scenario=Scenario.CASH_REPORT, parameters=found, effective_from=None, **told),
        )
        change_id = rule_changes.list_waiting(scene.runtime.engine, {ChangeKind.SET_PARAMETERS})[-1].change_id
    path = path.replace("{change_id}", change_id)
    token = {"csrf_token": person.csrf_token}
    return person.http.post(path, data=token, headers={"X-CSRF-Token": person.csrf_token})


def asked_about_file_of_pairs(scene: Scene, person: Analyst, method: str, path: str) -> httpx.Response:
    """About pairs that another person has proposed as a file."""
    file = WhitelistFile(source="a.csv", content=file_of_pairs(scene))
    checked, by = whitelist_import.check(scene.runtime, file), Signature(actor=OTHER, role="supervisor")
    proposed = scene.runtime.unit.administer(lambda tx: whitelist_import.propose(tx, checked, reason="why", by=by))
    path = path.replace("{change_id}", proposed.change_id or "")
    headers, token = {"X-CSRF-Token": person.csrf_token}, {"csrf_token": person.csrf_token}
    return person.http.get(path) if method == "GET" else person.http.post(path, data=token, headers=headers)


def asked_to_import_pairs(scene: Scene, person: Analyst, path: str) -> httpx.Response:
    headers, token = {"X-CSRF-Token": person.csrf_token}, {"csrf_token": person.csrf_token}
    return person.http.post(path, data=token, headers=headers, files={"file": ("a.csv", file_of_pairs(scene))})


def file_of_pairs(scene: Scene) -> bytes:
    """What can be whitelisted now."""
    scene.runtime.unit.administer(lambda tx: tx.exec_driver_sql("DELETE FROM whitelist_pairs"))
    until = (NOW + timedelta(days=30)).date()
    line = f"fictional,F-007,{ALIKE},{ALIKE_BORN},{until},why"
    return f"list,entity_id,name,birth_date,until,reason\n{line}\n".encode()


def asked_about_pairs(scene: Scene, person: Analyst, path: str) -> httpx.Response:
    # Whom the one before has whitelisted is no hit.
    scene.runtime.unit.administer(lambda tx: tx.exec_driver_sql("DELETE FROM whitelist_pairs"))
    case_id, pair_id = (
        scene.case_for("take", ""),
        pair_id_of(Subject(name=ALIKE, birth_date=ALIKE_BORN), "fictional/F-007"),
    )
    until = NOW + timedelta(days=30)
    form = {"case_id": case_id, "pair_id": pair_id, "until": until.date().isoformat(), "note": "why", "version": 1}
    if "{pair_id}" in path:
        about: dict[str, Any] = {"case_id": case_id, "actor": OTHER, "role": Role.SUPERVISOR, "version": 1}
        decide(scene.runtime, ProposePair(**about, pair_id=pair_id, until=until, note="why"))
        if path.endswith("/keep"):
            by: dict[str, Any] = {"pair_id": pair_id, "role": Role.SUPERVISOR}
            decide(scene.runtime, ConfirmPair(**by, actor="somebody", version=1))
            decide(scene.runtime, EndPair(**by, actor=OTHER, version=2, note="why"))
        form = {"version": 3 if path.endswith("/keep") else 1, "note": "why"}
    path = path.replace("{pair_id}", pair_id)
    if "/api/" in path:
        return person.http.post(path, json=form, headers={"X-CSRF-Token": person.csrf_token})
    return person.http.post(path, data={**form, "csrf_token": person.csrf_token})


def person_version(runtime: Runtime, path: str) -> int:
    ((count,),) = rows(runtime, "SELECT count(*) FROM case_acts WHERE case_id = %s", path.split("/")[-2])
    return int(count)


def decide_user(runtime: Runtime, username: str) -> None:
    runtime.unit.administer(
        lambda tx: tx.exec_driver_sql(
            "INSERT INTO desk_users (username, password_hash, role) VALUES (%s, 'x', 'analyst')", (username,)
        )
    )


@pytest.mark.parametrize("route", WHO)
def test_a_route_serves_those_it_is_for_and_nobody_else(
    scene: Scene, everybody: dict[Role, Analyst], route: str
) -> None:
    for role, person in everybody.items():
        answer = asked(scene, person, role, route)
        if role is Role.OFFICER and route.endswith("/escalate"):
            # There is nobody above.
            assert answer.status_code == 409
            continue
        expected = {200, 201, 303} if role in WHO[route] else {403}
        assert answer.status_code in expected, f"{route} by {role}: {answer.status_code} {answer.text[-300:]}"


def test_who_is_not_allowed_is_told_so_and_changes_nothing(compliance: Runtime, address: str) -> None:
    case_id = Scene(compliance).case_for("confirm", "")
    with signed_in(address, "analyst") as analyst:
        refused = analyst.do("confirm", case_id)
        assert (refused.status_code, refused.json()["reason"]) == (403, "forbidden")
        page = analyst.http.post(f"/desk/cases/{case_id}/confirm", data={"csrf_token": analyst.csrf_token})
        assert page.status_code == 403
        assert "This is not for the role of analyst." in page.text
        assert analyst.case(case_id)["status"] == "proposed"


def test_no_other_role_lets_anybody_confirm_what_they_have_proposed(compliance: Runtime, address: str) -> None:
    scene = Scene(compliance)
    case_id = scene.case_for("propose", "analyst")
    with signed_in(address, "analyst") as analyst, signed_in(address, "administrator") as administrator:
        assert analyst.do("propose", case_id, decision="approve", note="fine").status_code == 200
        changed = administrator.http.post(
            "/desk/api/users/analyst/role", json={"role": "officer"}, headers={"X-CSRF-Token": administrator.csrf_token}
        )
        assert changed.status_code == 200
        assert analyst.http.get("/desk/api/session").status_code == 401
    with signed_in(address, "analyst") as analyst:
        assert analyst.http.get("/desk/api/session").json()["role"] == "officer"
        refused = analyst.do("confirm", case_id)
        assert (refused.status_code, refused.json()["reason"]) == (409, "own_proposal")
    add_people(compliance)


def test_an_administrator_lets_people_in_and_out_but_is_no_case_of_their_own(compliance: Runtime, address: str) -> None:
    with signed_in(address, "administrator") as administrator:

        def ask(path: str, **body: Any) -> httpx.Response:
            return administrator.http.post(
                f"/desk/api/users{path}", json=body, headers={"X-CSRF-Token": administrator.csrf_token}
            )

        added = ask("", username="dora", role="analyst")
        assert added.status_code == 201
        assert ask("", username="dora", role="analyst").json()["reason"] == "user_exists"
        assert ask("", username="Weir!", role="analyst").json()["reason"] == "username_invalid"
        assert ask("", username="weir", role="analyst").json()["reason"] == "username_invalid"
        for path, body in (("/role", {"role": "analyst"}), ("/disable", {}), ("/readmit", {})):
            refused = ask(f"/administrator{path}", **body)
            assert (refused.status_code, refused.json()["reason"]) == (409, "own_account")
            assert ask(f"/nobody{path}", **body).json()["reason"] == "user_unknown"
        credentials = {"username": "dora", "password": added.json()["password"]}
        assert in_the_clear.post(f"{address}/desk/sign-in", json=credentials).json()["role"] == "analyst"
        ask("/dora/disable")
        assert in_the_clear.post(f"{address}/desk/sign-in", json=credentials).status_code == 401
        (dora,) = (
            user for user in administrator.http.get("/desk/api/users").json()["users"] if user["username"] == "dora"
        )
        assert dora["disabled_at"] is not None
        credentials["password"] = ask("/dora/readmit").json()["password"]
        assert in_the_clear.post(f"{address}/desk/sign-in", json=credentials).status_code == 200
    add_people(compliance)


def test_signing_in_leads_to_what_ones_role_is_for(compliance: Runtime, address: str) -> None:
    for username, home in (("analyst", "/desk"), ("administrator", "/desk/users")):
        with httpx.Client(base_url=address) as http:
            token = http.get("/desk/sign-in").text.split('name="csrf_token" value="')[1].split('"')[0]
            form = {"csrf_token": token, "username": username, "password": PASSWORD}
            assert http.post("/desk/sign-in", data=form).headers["location"] == home


def test_the_command_line_lets_people_in_with_a_role(wired: Runtime) -> None:
    app, runner = commands.app(SERVICE), CliRunner()
    env = {"WEIR_DATABASE_URL": wired.settings.database_dsn, "WEIR_REGISTRY_URL": wired.settings.registry_url}

    def role() -> str:
        ((found,),) = rows(wired, "SELECT role FROM desk_users WHERE username = 'erna'")
        return str(found)

    assert runner.invoke(app, ["add-user", "erna"], env=env).exit_code == 0
    assert role() == "analyst"
    assert runner.invoke(app, ["add-user", "erna", "--role", "officer"], env=env).exit_code == 0
    assert role() == "officer"
    assert runner.invoke(app, ["add-user", "erna"], env=env).exit_code == 0
    assert role() == "officer"
    assert runner.invoke(app, ["add-user", "erna", "--role", "king"], env=env).exit_code != 0
    add_people(wired)
