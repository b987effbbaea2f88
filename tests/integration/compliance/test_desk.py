"""The desk for programs: the same sign-in, the same two people, and everything that must not work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from libs.common import clients, ids
from libs.common.scopes import Scope
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision, CaseResolved, CaseTaken
from schemas.payments.events import PaymentBlocked, PaymentInitiated, PaymentSuspended
from services.compliance import queries
from services.compliance.desk.sessions import FAILURES_OF_USER_MAX
from services.compliance.queries import Queue
from services.compliance.views import ListsView, ScreeningView
from tests import in_the_clear
from tests.deciding import Announcer, decide
from tests.in_the_clear import IN_THE_CLEAR
from tests.integration.compliance.scene import ALIKE, LISTED, NOW, PASSWORD, case_of, initiated, order, rows, suspended
from tests.serving import problem, require, running, told
from tests.waiting import wait_until


class Analyst:
    """A program that works at the desk under a person's name."""

    def __init__(self, http: httpx.Client, csrf_token: str) -> None:
        self.http = http
        self.csrf_token = csrf_token

    def case(self, case_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/desk/api/cases/{case_id}").json()
        return found

    def queue(self, name: str = "open", **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/desk/api/cases", params={"queue": name, **query}).json()
        return found

    def do(self, verb: str, case_id: str, *, version: int | None = None, key: str | None = None, **body: Any) -> Any:
        seen = self.case(case_id)["version"] if version is None else version
        headers = {"X-CSRF-Token": self.csrf_token, **({"Idempotency-Key": key} if key else {})}
        return self.http.post(f"/desk/api/cases/{case_id}/{verb}", json={"version": seen, **body}, headers=headers)


@contextmanager
def signed_in(address: str, username: str = "analyst1") -> Iterator[Analyst]:
    with httpx.Client(base_url=address, verify=IN_THE_CLEAR) as http:
        answer = http.post("/desk/sign-in", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        yield Analyst(http, answer.json()["csrf_token"])


@pytest.fixture
def ann(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address) as analyst:
        yield analyst


@pytest.fixture
def ben(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "analyst2") as analyst:
        yield analyst


@pytest.fixture
def case_id(compliance: Runtime) -> str:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    return case_of(event)


def test_a_suspended_payment_goes_from_its_topic_through_two_people_to_a_decision(
    compliance: Runtime, ann: Analyst, ben: Analyst
) -> None:
    event = initiated(order(creditor=ALIKE))
    Announcer(compliance, PaymentInitiated, PaymentSuspended).announce(event, suspended(event))
    with running(compliance.consumer.run):
        wait_until(lambda: len(ann.queue()["cases"]) == 1)
    case_id = case_of(event)
    assert ann.do("take", case_id).json()["status"] == "taken"
    assert ann.do("propose", case_id, decision="approve", note="an old customer").json()["status"] == "proposed"
    assert [case["case_id"] for case in ben.queue("proposed")["cases"]] == [case_id]
    assert ben.do("confirm", case_id).json()["status"] == "resolved"
    taken, resolved = (event for event in told(compliance) if isinstance(event, (CaseTaken, CaseResolved)))
    assert isinstance(taken, CaseTaken) and isinstance(resolved, CaseResolved)
    assert (taken.taken_by, taken.payment_id) == ("analyst1", event.payment_id)
    assert (resolved.decision, resolved.proposed_by, resolved.confirmed_by) == (
        CaseDecision.APPROVE,
        "analyst1",
        "analyst2",
    )
    acts = rows(compliance, "SELECT number, kind, actor, note FROM case_acts ORDER BY number")
    assert acts == [
        (1, "opened", "weir", "compliance_review, fraud_review"),
        (2, "taken", "analyst1", ""),
        (3, "proposed", "analyst1", "an old customer"),
        (4, "confirmed", "analyst2", ""),
    ]


def test_nobody_confirms_what_they_have_proposed(ann: Analyst, case_id: str) -> None:
    ann.do("take", case_id)
    ann.do("propose", case_id, decision="reject", note="no")
    refused = ann.do("confirm", case_id)
    assert (refused.status_code, refused.json()["reason"]) == (409, "own_proposal")


def test_of_two_who_take_a_case_at_once_the_second_is_told_by_whom_it_was_taken(
    ann: Analyst, ben: Analyst, case_id: str
) -> None:
    assert ann.do("take", case_id, version=1).status_code == 200
    refused = ben.do("take", case_id, version=1)
    assert (refused.status_code, refused.json()["reason"]) == (409, "already_taken")
    assert "analyst1" in refused.json()["detail"]


def test_a_case_whose_person_is_away_is_taken_over(
    compliance: Runtime, ann: Analyst, ben: Analyst, case_id: str
) -> None:
    ann.do("take", case_id)
    assert ben.do("take-over", case_id).json()["reason"] == "note_missing"
    assert ben.do("take-over", case_id, note="ann is ill").json()["status"] == "taken"
    assert ben.case(case_id)["taken_by"] == "analyst2"
    assert ann.do("propose", case_id, decision="reject", note="mine").json()["reason"] == "not_taken"
    acts = rows(compliance, "SELECT number, kind, actor, note, taken_from FROM case_acts ORDER BY number")
    assert acts[2:] == [(3, "taken_over", "analyst2", "ann is ill", "analyst1")]
    assert [event.taken_by for event in told(compliance) if isinstance(event, CaseTaken)] == ["analyst1", "analyst2"]


def test_who_has_not_seen_the_news_does_not_decide(compliance: Runtime, ann: Analyst, ben: Analyst) -> None:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    ann.do("take", case_of(event))
    decide(compliance, suspended(event, "clear"))
    refused = ann.do("propose", case_of(event), version=2, decision="approve", note="fine")
    assert (refused.status_code, refused.json()["reason"]) == (409, "stale")


@pytest.mark.parametrize(
    ("verb", "body", "status", "reason"),
    [
        ("propose", {"decision": "approve", "note": " "}, 422, "note_missing"),
        ("propose", {"note": "why"}, 422, "decision_missing"),
        ("propose", {"decision": "unknown", "note": "why"}, 422, "decision_missing"),
        ("propose", {"decision": "bribe", "note": "why"}, 422, "invalid"),
        ("propose", {"decision": "approve", "note": "x" * 5_000}, 422, "invalid"),
        ("propose", {"decision": "approve", "note": "well\0known"}, 422, "control_characters"),
        ("confirm", {}, 409, "nothing_proposed"),
        ("sell", {}, 404, "not_found"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    ann: Analyst, case_id: str, verb: str, body: dict[str, Any], status: int, reason: str
) -> None:
    ann.do("take", case_id)
    refused = ann.do(verb, case_id, **body)
    assert (refused.status_code, refused.json()["reason"]) == (status, reason)


def test_a_listed_partys_payment_is_not_approved(compliance: Runtime, ann: Analyst) -> None:
    event = initiated(order(creditor=LISTED))
    decide(compliance, event, suspended(event, "block"))
    ann.do("take", case_of(event))
    refused = ann.do("propose", case_of(event), decision="approve", note="he seems nice")
    assert (refused.status_code, refused.json()["reason"]) == (409, "listed_party")


def test_the_same_act_with_the_same_key_is_done_once(compliance: Runtime, ann: Analyst, case_id: str) -> None:
    first = ann.do("take", case_id, version=1, key="k1")
    again = ann.do("take", case_id, version=1, key="k1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, first.json())
    assert len([event for event in told(compliance) if isinstance(event, CaseTaken)]) == 1


def test_what_was_done_can_not_be_changed_even_in_the_database(compliance: Runtime, ann: Analyst, case_id: str) -> None:
    ann.do("take", case_id)
    for statement in ("UPDATE case_acts SET actor = 'nobody'", "DELETE FROM case_acts", "TRUNCATE case_acts"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            rows(compliance, statement)


def test_cases_come_in_pages_by_their_deadline(compliance: Runtime, ann: Analyst) -> None:
    events = [initiated(order(creditor=ALIKE)) for _ in range(5)]
    for number, event in enumerate(events):
        decide(compliance, suspended(event, at=NOW + timedelta(hours=number)))
    seen, cursor = [], None
    for _ in range(3):
        page = ann.queue(limit=2, **({"after": cursor} if cursor else {}))
        seen += [case["case_id"] for case in page["cases"]]
        cursor = page["next_cursor"]
    assert seen == [case_of(event) for event in events]
    assert cursor is None


def test_a_change_without_its_csrf_token_is_refused(ann: Analyst, ben: Analyst, case_id: str) -> None:
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": ben.csrf_token}, {"X-CSRF-Token": "ä".encode()}):
        refused = ann.http.post(f"/desk/api/cases/{case_id}/take", json={"version": 1}, headers=headers)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["reason"]) == (403, "csrf_token_wrong")
    form = ann.http.post(f"/desk/cases/{case_id}/take", data={"version": "1", "csrf_token": "forged"})
    assert form.status_code == 403
    assert ann.case(case_id)["status"] == "open"


@pytest.mark.parametrize("path", ["/desk/api/cases", "/desk/api/session", f"/desk/api/cases/{ids.new()}"])
def test_who_is_not_signed_in_sees_nothing(compliance: Runtime, address: str, path: str) -> None:
    with httpx.Client(base_url=address, verify=IN_THE_CLEAR) as nobody:
        refused = nobody.get(path)
        assert (refused.status_code, refused.json()["reason"]) == (401, "not_signed_in")
        forged = nobody.get(path, headers={"Cookie": "weir_desk=" + "x" * 43})
        assert forged.status_code == 401


@pytest.mark.parametrize("path", ["/desk", "/desk/blocked", f"/desk/cases/{ids.new()}"])
def test_a_page_leads_who_is_not_signed_in_to_where_they_can(compliance: Runtime, address: str, path: str) -> None:
    answer = in_the_clear.get(address + path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk/sign-in?next={path}")


def test_a_session_ends_when_it_is_signed_out_idle_or_old(compliance: Runtime, address: str) -> None:
    ends = (
        "DELETE FROM desk_sessions",
        "UPDATE desk_sessions SET seen_at = now() - interval '31 minutes'",
        "UPDATE desk_sessions SET expires_at = now() - interval '1 second'",
        "UPDATE desk_users SET disabled_at = now() WHERE username = 'analyst1'",
    )
    for end in ends:
        with signed_in(address) as analyst:
            assert analyst.http.get("/desk/api/session").status_code == 200
            compliance.unit.administer(lambda tx, end=end: tx.exec_driver_sql(end))  # type: ignore[misc]
            assert analyst.http.get("/desk/api/session").status_code == 401
            compliance.unit.administer(lambda tx: tx.exec_driver_sql("UPDATE desk_users SET disabled_at = NULL"))
    with signed_in(address) as analyst:
        token = analyst.http.cookies["weir_desk"]
        analyst.http.post("/desk/sign-out", data={"csrf_token": analyst.csrf_token})
        assert in_the_clear.get(f"{address}/desk/api/session", cookies={"weir_desk": token}).status_code == 401


def test_every_sign_in_is_a_session_of_its_own_and_no_token_is_kept(compliance: Runtime, address: str) -> None:
    with signed_in(address) as one, signed_in(address) as other:
        tokens = {one.http.cookies["weir_desk"], other.http.cookies["weir_desk"]}
        assert len(tokens) == 2
        ((stored,),) = rows(compliance, "SELECT string_agg(s::text, ' ') FROM desk_sessions s")
        assert not any(token in stored for token in tokens)


def test_the_cookie_is_for_this_site_only_and_for_no_script(compliance: Runtime, address: str) -> None:
    answer = in_the_clear.post(f"{address}/desk/sign-in", json={"username": "analyst1", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/desk", "max-age="))


def test_after_too_many_failures_not_even_the_password_helps(compliance: Runtime, address: str) -> None:
    for _ in range(FAILURES_OF_USER_MAX):
        wrong = in_the_clear.post(f"{address}/desk/sign-in", json={"username": "analyst1", "password": "guess"})
        assert (wrong.status_code, wrong.json()["reason"]) == (401, "wrong_password")
    refused = in_the_clear.post(f"{address}/desk/sign-in", json={"username": "analyst1", "password": PASSWORD})
    assert (refused.status_code, refused.json()["reason"]) == (429, "too_many_failures")
    with signed_in(address, "analyst2"):
        pass


def test_a_name_that_nobody_can_have_is_no_way_in_and_no_way_to_bring_the_desk_down(
    compliance: Runtime, address: str
) -> None:
    for username in ("an\0alyst1", "ann or 1=1", ""):
        answer = in_the_clear.post(f"{address}/desk/sign-in", json={"username": username, "password": PASSWORD})
        assert answer.status_code in (401, 422), username
    with signed_in(address):
        pass


@pytest.mark.parametrize(
    "path",
    [
        "/desk?after=2026-01-05T09:00:00_nobody",
        "/desk?after=0001-01-01T00:00:00%2B23:00_x",
        "/desk/blocked?after=2026-01-05_nobody",
        "/desk/api/cases?after=2026-01-05T09:00:00_nobody",
    ],
)
def test_a_page_that_nobody_was_led_to_begins_at_the_beginning(ann: Analyst, case_id: str, path: str) -> None:
    assert ann.http.get(path).status_code == 200


def test_failures_that_come_at_once_are_counted_before_any_password_is_looked_at(
    compliance: Runtime, address: str
) -> None:
    def guess(number: int) -> int:
        body = {"username": "analyst1", "password": f"guess {number}"}
        return in_the_clear.post(f"{address}/desk/sign-in", json=body, timeout=60).status_code

    with ThreadPoolExecutor(30) as threads:
        found = list(threads.map(guess, range(30)))
    assert found.count(401) == FAILURES_OF_USER_MAX
    assert found.count(429) == 30 - FAILURES_OF_USER_MAX


@pytest.mark.parametrize("body", ["{}", "[]", "nonsense", '{"username": 1, "password": null}', '{"username": "a"}'])
def test_a_sign_in_that_is_none_is_refused(compliance: Runtime, address: str, body: str) -> None:
    answer = in_the_clear.post(f"{address}/desk/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_every_answer_says_what_a_page_may_do(compliance: Runtime, address: str, ann: Analyst) -> None:
    for path in (
        "/desk",
        "/desk/sign-in",
        "/desk/blocked",
        "/desk/api/cases",
        "/desk/cases/not-an-id",
        "/desk/static/x",
    ):
        headers = ann.http.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_blocked_money_is_listed_by_the_day_its_report_is_due(compliance: Runtime, ann: Analyst) -> None:
    for day in (9, 2):
        decide(
            compliance,
            PaymentBlocked(
                payment_id=ids.new(),
                debtor_account_id=ids.new(),
                amount_minor=100_000 * day,
                currency="USD",
                transfer_id=ids.new(),
                blocked_at=NOW.replace(year=2026, month=3, day=day, hour=15),
            ),
        )
    page = ann.http.get("/desk/blocked").text
    assert page.index("16 Mar 2026") < page.index("23 Mar 2026")
    assert page.index("2,000.00 USD") < page.index("9,000.00 USD")


def test_those_that_wait_for_a_second_person_are_counted_whatever_waits_besides(
    compliance: Runtime, ann: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "COUNTED_MAX", 3)
    events = [initiated(order(creditor=ALIKE)) for _ in range(6)]
    decide(compliance, *events, *map(suspended, events))
    ann.do("take", case_of(events[5]))
    ann.do("propose", case_of(events[5]), decision="reject", note="listed")
    assert queries.count_cases(compliance.engine) == {Queue.OPEN: 3, Queue.SNOOZED: 0, Queue.PROPOSED: 1}


def test_programs_of_staff_screen_names_and_see_the_lists_and_others_may_not(compliance: Runtime, address: str) -> None:
    admit = clients.register
    compliance.unit.administer(lambda tx: admit(tx, "staff", "staff-key", [Scope.READ, Scope.STAFF]))
    compliance.unit.administer(lambda tx: admit(tx, "shop", "shop-key", [Scope.READ, Scope.WRITE]))
    staff, shop = ({"Authorization": f"Bearer {key}"} for key in ("staff-key", "shop-key"))
    body = {"name": LISTED, "birth_date": "1974-11-02", "country": "IQ"}
    screened = in_the_clear.post(f"{address}/v1/screenings", json=body, headers=staff)
    require(ScreeningView, screened)
    answer = screened.json()
    assert answer["outcome"] == "block"
    assert answer["hits"][0]["entity_id"] == "F-002"
    assert answer["hits"][0]["listed"]["births"] == ["1974-11-02"]
    as_ship = in_the_clear.post(f"{address}/v1/screenings", json={**body, "kind": "vessel"}, headers=staff).json()
    assert as_ship["outcome"] == "review", "a person is no ship"
    wrong = in_the_clear.post(f"{address}/v1/screenings", json={**body, "country": "ZZ"}, headers=staff)
    assert problem(wrong) == (422, "invalid", "country")
    assert "ISO 3166-1" in wrong.text
    listed = in_the_clear.get(f"{address}/v1/lists", headers=staff)
    require(ListsView, listed)
    lists = listed.json()["lists"]
    assert [found["list_name"] for found in lists] == ["fictional"]
    assert rows(compliance, "SELECT 1 FROM screened_parties") == []
    for method, path in (("POST", "/v1/screenings"), ("GET", "/v1/lists")):
        assert in_the_clear.request(method, address + path, json=body, headers=shop).status_code == 403
        assert in_the_clear.request(method, address + path, json=body).status_code == 401


@pytest.mark.parametrize("path", ["/desk/search", "/desk/api/search"])
def test_a_card_number_that_is_searched_for_is_refused_and_not_put_into_the_log(
    compliance: Runtime, ann: Analyst, path: str
) -> None:
    assert ann.http.get(path, params={"q": "4111 1111\u00a01111 1111"}).status_code in (400, 422)
    assert ann.http.get(f"{path}?q=4111+1111+1111+1111&queue=open").status_code in (400, 422)
    logged = str(rows(compliance, "SELECT object_id, details FROM audit_entries"))
    assert "4111" not in logged and "1111&queue=open" in logged
