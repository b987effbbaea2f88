"""Casework on real parts: the next case for one person only, what comes back by itself, filters, and search."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from libs.common import ids
from libs.common.service import Runtime
from schemas.compliance.events import CaseTaken, CustomerRestricted
from services.compliance.domain.case import Case
from services.compliance.domain.casework import SnoozeCase
from services.compliance.domain.people import Role
from services.compliance.store import cases
from tests.deciding import decide
from tests.integration.compliance.scene import (
    ALIKE,
    LISTED,
    NOW,
    add_people,
    case_of,
    initiated,
    order,
    registered,
    rows,
    suspended,
)
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.serving import told


@pytest.fixture
def ann(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "analyst") as analyst:
        yield analyst


@pytest.fixture
def sue(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "supervisor") as supervisor:
        yield supervisor


@pytest.fixture
def olga(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "officer") as officer:
        yield officer


def payments(runtime: Runtime, *creditors: str, outcome: str = "review") -> list[str]:
    """Suspended payments to some people; the ids of their cases."""
    events = [initiated(order(creditor=creditor)) for creditor in creditors]
    decide(runtime, *events, *(suspended(event, outcome) for event in events))
    return [case_of(event) for event in events]


def next_case(person: Analyst, key: str | None = None) -> httpx.Response:
    headers = {"X-CSRF-Token": person.csrf_token, **({"Idempotency-Key": key} if key else {})}
    return person.http.post("/desk/api/next", headers=headers)


def ids_of(answer: dict[str, Any]) -> set[str]:
    return {case["case_id"] for case in answer["cases"]}


def test_no_two_people_are_ever_given_the_same_case(compliance: Runtime, address: str) -> None:
    wanted = set(payments(compliance, *(f"Payee Number{number}" for number in range(60))))
    with ExitStack() as stack:
        people = [
            stack.enter_context(signed_in(address, name)) for name in ("analyst1", "analyst2", "analyst", "officer")
        ]

        def work(person: Analyst) -> list[str]:
            given = []
            while (answer := next_case(person)).status_code == 200:
                given.append(answer.json()["case_id"])
            assert answer.json()["reason"] == "nothing_waits"
            return given

        # Two requests of each at once: what one of them holds must not be given to the other either.
        with ThreadPoolExecutor(8) as threads:
            given = [case_id for found in threads.map(work, people * 2) for case_id in found]
    assert sorted(given) == sorted(wanted)
    assert len([event for event in told(compliance) if isinstance(event, CaseTaken)]) == 60
    assert rows(compliance, "SELECT count(*), count(DISTINCT case_id) FROM case_acts WHERE kind = 'taken'") == [
        (60, 60)
    ]


def test_what_another_transaction_is_about_to_hand_out_is_not_waited_for(compliance: Runtime) -> None:
    first, second = sorted(payments(compliance, "Payee One", "Payee Two"))
    with compliance.engine.connect() as holding, compliance.engine.connect() as asking:
        (held,) = cases.lock_offered(holding, {Role.ANALYST}, 1).values()
        (other,) = cases.lock_offered(asking, {Role.ANALYST}, 1).values()
        assert isinstance(held, Case)
        assert {held.case_id, other.case_id} == {first, second}
        assert not cases.lock_offered(asking, {Role.ANALYST}, 5).keys() & {held.case_id}


def test_the_most_urgent_case_comes_first_and_the_same_key_gives_the_same_case(
    compliance: Runtime, ann: Analyst, sue: Analyst
) -> None:
    (ordinary,) = payments(compliance, ALIKE)
    (urgent,) = payments(compliance, LISTED, outcome="block")
    first = next_case(ann, "k1")
    assert (first.json()["case_id"], first.json()["status"]) == (urgent, "taken")
    assert next_case(ann, "k1").json() == first.json()
    assert next_case(sue).json()["case_id"] == ordinary
    assert next_case(sue).status_code == 409


def test_a_case_that_was_put_off_is_in_nobodys_way_and_comes_back_with_the_sweep(
    compliance: Runtime, ann: Analyst, sue: Analyst
) -> None:
    (case_id,) = payments(compliance, ALIKE)
    ann.do("take", case_id)
    assert ann.do("snooze", case_id, note="why").json()["reason"] == "until_missing"
    too_late = (NOW + timedelta(days=6)).isoformat()
    refused = ann.do("snooze", case_id, until=too_late, note="holidays")
    assert (refused.status_code, refused.json()["reason"]) == (422, "snooze_out_of_range")
    until = (NOW + timedelta(days=2)).isoformat()
    assert ann.do("snooze", case_id, until=until, note="papers asked for").status_code == 200
    assert ids_of(ann.queue()) == set()
    assert ids_of(ann.queue("snoozed")) == {case_id}
    assert sue.do("take-over", case_id, note="mine now").status_code == 200
    # As if it had been put off two hours ago, for an hour.
    compliance.sweep.run_once()
    version = sue.case(case_id)["version"]
    about: dict[str, Any] = {"case_id": case_id, "actor": "supervisor", "role": Role.SUPERVISOR, "version": version}
    now = datetime.now(UTC)
    off = SnoozeCase(**about, until=now - timedelta(hours=1), note="why")
    decide(compliance, off, at=now - timedelta(hours=2))
    assert ids_of(sue.queue("snoozed")) == {case_id}
    assert compliance.sweep.run_once() == 1
    assert ids_of(sue.queue(assignee="supervisor")) == {case_id}
    assert rows(compliance, "SELECT kind, actor FROM case_acts ORDER BY number DESC LIMIT 1") == [("awakened", "weir")]
    assert compliance.sweep.run_once() == 0


def test_a_supervisor_assigns_only_to_those_who_work_on_cases(compliance: Runtime, ann: Analyst, sue: Analyst) -> None:
    (case_id,) = payments(compliance, ALIKE)
    for nobody in ("auditor", "administrator", "ghost"):
        refused = sue.do("assign", case_id, assignee=nobody)
        assert (refused.status_code, refused.json()["reason"]) == (422, "assignee_unfit")
    assert sue.do("assign", case_id, assignee="analyst", note="yours").status_code == 200
    assert ids_of(ann.queue(assignee="analyst")) == {case_id}
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE desk_users SET disabled_at = now() WHERE username = 'analyst2'")
    )
    assert sue.do("assign", case_id, assignee="analyst2").json()["reason"] == "assignee_unfit"
    add_people(compliance)


def test_a_case_passed_up_is_worked_on_above(compliance: Runtime, ann: Analyst, sue: Analyst, olga: Analyst) -> None:
    (case_id,) = payments(compliance, ALIKE)
    next_case(ann)
    assert ann.do("escalate", case_id, note="why").json()["reason"] == "role_missing"
    assert ann.do("escalate", case_id, to="officer", note="a minister").status_code == 200
    assert next_case(ann).json()["reason"] == "nothing_waits"
    assert sue.do("take", case_id).json()["reason"] == "escalated"
    assert next_case(olga).json()["case_id"] == case_id
    assert olga.do("propose", case_id, decision="approve", note="not him").status_code == 200
    assert sue.do("confirm", case_id).status_code == 200


def test_a_customers_case_is_reopened_and_the_customer_restricted_until_it_is_decided(
    compliance: Runtime, ann: Analyst, sue: Analyst, olga: Analyst
) -> None:
    decide(compliance, registered(ALIKE, birth_date="1999-01-01"))
    (case,) = ann.queue(kind="customer")["cases"]
    case_id = case["case_id"]
    ann.do("take", case_id)
    ann.do("propose", case_id, decision="approve", note="younger")
    sue.do("confirm", case_id)
    assert sue.do("reopen", case_id, note="a newspaper").json()["status"] == "open"
    assert isinstance(told(compliance)[-1], CustomerRestricted)
    assert rows(compliance, "SELECT status FROM customers") == [("restricted",)]
    assert next_case(olga).json()["case_id"] == case_id


def test_a_payments_second_look_tells_nobody_and_is_not_screened_again(
    compliance: Runtime, ann: Analyst, sue: Analyst, olga: Analyst
) -> None:
    (case_id,) = payments(compliance, ALIKE)
    # All that is due without the second look: afterwards nothing is.
    compliance.sweep.run_once()
    assert compliance.sweep.run_once() == 0
    ann.do("take", case_id)
    ann.do("propose", case_id, decision="approve", note="fine")
    sue.do("confirm", case_id)
    before = len(told(compliance))
    sue.do("reopen", case_id, note="sampled")
    compliance.unit.administer(lambda tx: tx.exec_driver_sql("UPDATE cases SET matcher_version = 0"))
    assert compliance.sweep.run_once() == 0
    next_case(olga)
    olga.do("propose", case_id, decision="reject", note="was him")
    assert sue.do("confirm", case_id).json()["status"] == "resolved"
    assert len(told(compliance)) == before
    assert "Second look, without effect" in ann.http.get(f"/desk/cases/{case_id}").text


def test_notes_and_tasks_are_on_record(compliance: Runtime, ann: Analyst, sue: Analyst) -> None:
    (case_id,) = payments(compliance, ALIKE)
    ann.do("note", case_id, note="the branch called\r\nat noon")
    ann.do("add-task", case_id, note="ask for papers")
    assert sue.do("finish-task", case_id, task=1).status_code == 200
    case = ann.case(case_id)
    assert [(task["title"], task["done_by"]) for task in case["tasks"]] == [("ask for papers", "supervisor")]
    acts = rows(compliance, "SELECT kind, actor, note FROM case_acts ORDER BY number")
    assert acts[1] == ("noted", "analyst", "the branch called\nat noon")


def test_a_payment_is_linked_found_by_and_taken_away(compliance: Runtime, ann: Analyst, sue: Analyst) -> None:
    case_id, other_case_id = payments(compliance, ALIKE, ALIKE)
    linked = ann.case(other_case_id)["payment_id"]
    assert ann.do("link-payment", case_id, payment_id="order 7", note="alike").json()["field"] == "payment_id"
    assert ann.do("link-payment", case_id, payment_id=ids.new(), note="alike").json()["reason"] == "payment_unfit"
    assert ann.do("link-payment", case_id, payment_id=linked.upper(), note="one <b>device</b>").status_code == 200
    (one,) = ann.case(case_id)["page"]["linked"]
    assert (one["payment_id"], one["case_id"], one["linked_by"]) == (linked, other_case_id, "analyst")
    found = ann.http.get("/desk/api/search", params={"q": linked}).json()
    assert {case["case_id"] for case in found["cases"]} == {case_id, other_case_id}
    page = ann.http.get(f"/desk/cases/{case_id}").text
    assert f'href="/desk/cases/{other_case_id}">{linked}' in page and "one &lt;b&gt;device" in page
    assert linked in sue.http.get(f"/desk/cases/{case_id}/export").text
    assert ann.do("unlink-payment", case_id, payment_id=linked, note="another device").status_code == 200
    assert ann.case(case_id)["page"]["linked"] == []
    verbs = rows(compliance, "SELECT verb FROM audit_entries WHERE object_id = %s ORDER BY number", case_id)
    assert [verb for (verb,) in verbs if "linked" in verb] == ["payment_linked", "payment_unlinked"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"alike", "listed", "customer"}),
        ({"kind": "customer"}, {"customer"}),
        ({"kind": "payment"}, {"alike", "listed"}),
        ({"priority": "P1"}, {"listed"}),
        ({"priority": "2"}, {"alike", "customer"}),
        ({"reason": "resembles_listed"}, {"customer"}),
        ({"reason": "fraud_review"}, {"alike", "listed"}),
        ({"assignee": "analyst"}, {"alike"}),
        ({"assignee": "-"}, {"listed", "customer"}),
        ({"older_than_days": 1}, set()),
        ({"overdue": "true"}, set()),
        ({"overdue": "false"}, {"alike", "listed", "customer"}),
        ({"sort": "age", "kind": "payment", "priority": "P1", "assignee": ""}, {"listed"}),
    ],
)
def test_the_queue_is_filtered(compliance: Runtime, ann: Analyst, query: dict[str, Any], found: set[str]) -> None:
    (alike,), (listed,) = payments(compliance, ALIKE), payments(compliance, LISTED, outcome="block")
    decide(compliance, registered("Aurelstan du Vanqueroi"))
    ann.do("take", alike)
    names = {alike: "alike", listed: "listed"}
    answer = ann.queue(**query)
    assert {names.get(case["case_id"], "customer") for case in answer["cases"]} == found
    page = ann.http.get("/desk", params={"queue": "open", **query})
    assert page.status_code == 200
    assert page.text.count('class="row-link"') == len(found)


@pytest.mark.parametrize("sort", ["urgency", "due", "age"])
def test_every_way_of_sorting_goes_on_from_page_to_page(compliance: Runtime, ann: Analyst, sort: str) -> None:
    wanted = {*payments(compliance, *[ALIKE] * 4), *payments(compliance, LISTED, LISTED, outcome="block")}
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = ann.queue(sort=sort, limit=2, **({"after": cursor} if cursor else {}))
        seen += [case["case_id"] for case in page["cases"]]
        cursor = page["next_cursor"]
    assert (set(seen), len(seen), cursor) == (wanted, 6, None)
    if sort == "urgency":
        assert [ann.case(case_id)["priority"] for case_id in seen] == ["P1"] * 2 + ["P2"] * 4


def test_what_waits_is_counted(compliance: Runtime, ann: Analyst) -> None:
    alike, *_ = payments(compliance, ALIKE, ALIKE)
    payments(compliance, LISTED, outcome="block")
    ann.do("take", alike)
    compliance.unit.administer(lambda tx: tx.exec_driver_sql("UPDATE cases SET due_at = now() WHERE priority = 1"))
    counts = ann.http.get("/desk/api/counts").json()
    assert counts["queues"] == {"open": 3, "snoozed": 0, "proposed": 0}
    assert counts["open"] == {"by_priority": {"1": 1, "2": 2, "3": 0}, "overdue": 1, "unassigned": 2, "mine": 1}


def test_cases_are_found_by_names_however_spelt_and_by_ids(compliance: Runtime, ann: Analyst) -> None:
    event = initiated(order("Mohammed Miller", "Łukasz Baker"))
    decide(compliance, event, suspended(event))
    decide(compliance, registered(ALIKE, birth_date="1999-01-01"))
    ((customer_id,),) = rows(compliance, "SELECT customer_id FROM customers")
    queries = {
        "miller": 1, "mil": 1, "Mohamed": 1, "lukasz bak": 1, "Ann Miller": 0, "stojadivich": 1, "%": 0, "nobody": 0,
        event.payment_id: 1, event.order.debtor_account_id: 1, case_of(event): 1, customer_id: 1,
    }  # fmt: skip
    for query, count in queries.items():
        assert len(ann.http.get("/desk/api/search", params={"q": query}).json()["cases"]) == count, query
        assert (
            ann.http.get("/desk/search", params={"q": query}).text.count('class="row-link" href="/desk/cases/') == count
        ), query
    looked = rows(compliance, "SELECT DISTINCT object_kind FROM audit_entries WHERE details LIKE 'q=%'")
    assert looked == [("search",)]


def test_a_file_is_kept_with_its_hash_and_handed_out_only_to_be_saved(
    compliance: Runtime, ann: Analyst, sue: Analyst
) -> None:
    (case_id,) = payments(compliance, ALIKE)
    content = b"%PDF-1.7 <script>alert(1)</script>" + bytes(100_000)

    def add(name: str, content: bytes, token: str = ann.csrf_token) -> httpx.Response:
        sent = {"file": (name, content)}
        headers = {"X-CSRF-Token": token}
        return ann.http.post("/desk/api/files", data={"case_id": case_id}, files=sent, headers=headers)

    assert add("papers.pdf", content, "forged").status_code == 403
    assert add("C:\\\\x\\\\papiere \u00fc.pdf", content).status_code == 200
    assert (add("page.html", b"<script>").status_code, add("a.pdf", b"MZ").json()["reason"]) == (422, "file_unfit")
    assert add("a.txt", b"x" * (5 * 1024 * 1024 + 1)).json()["reason"] == "file_unfit"
    assert add("a.txt", b"x" * (6 * 1024 * 1024)).status_code == 413
    (file,) = ann.case(case_id)["page"]["files"]
    assert (file["name"], file["size_bytes"], file["added_by"]) == ("papiere \u00fc.pdf", len(content), "analyst")
    for api in ("", "/api"):
        got = sue.http.get(f"/desk{api}/cases/{case_id}/files/1")
        assert got.content == content
        assert hashlib.sha256(got.content).hexdigest() == file["sha256"] == got.headers["x-content-sha256"]
        assert got.headers["content-disposition"].startswith("attachment; ")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert sue.http.get(f"/desk{api}/cases/{case_id}/files/2").status_code == 404
    assert rows(compliance, "SELECT count(*) FROM audit_entries WHERE object_kind = 'file'") == [(4,)]
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        rows(compliance, "UPDATE case_files SET content = ''")
