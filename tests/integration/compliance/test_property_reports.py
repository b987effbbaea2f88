"""Reports on property on real parts: of what was blocked or rejected, and once a year of all that is held."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.accounts.events import PropertyBlocked
from schemas.payments.events import InternalReason
from services.compliance import property_queries
from services.compliance.domain.business_days import day_of, report_due_on
from services.compliance.domain.customers import customer_case_id
from services.compliance.filings.property import OWNER_UNKNOWN
from services.compliance.property_queries import draft_annual, draft_blocked
from tests.deciding import decide
from tests.integration.compliance.scene import (
    ALIKE,
    LISTED,
    NOW,
    blocked,
    case_of,
    initiated,
    order,
    registered,
    suspended,
)
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.serving import problem

TODAY = day_of(datetime.now(UTC))


@pytest.fixture
def olga(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "officer") as officer:
        yield officer


def post(person: Analyst, path: str, **body: Any) -> httpx.Response:
    return person.http.post(f"/desk/api/{path}", json=body, headers={"X-CSRF-Token": person.csrf_token})


def listed_and_blocked(compliance: Runtime) -> str:
    """A payment of a listed party that was blocked without anybody's being asked."""
    event = initiated(order(LISTED))
    decide(compliance, event, blocked(event.payment_id))
    return event.payment_id


def test_a_report_on_blocked_property_names_whose_it_is_by_which_list(compliance: Runtime, olga: Analyst) -> None:
    payment_id = listed_and_blocked(compliance)
    page = olga.http.get("/desk/property-reports/new", params={"kind": "blocked", "payment_id": payment_id}).text
    assert LISTED in page
    drafted = post(olga, "property-reports", kind="blocked", payment_id=payment_id, authority="EO 13224")
    assert drafted.status_code == 200, drafted.text
    found = olga.http.get(f"/desk/api/filings/{drafted.json()['filing_id']}").json()
    assert (found["kind"], found["status"], found["due_on"]) == ("blocked", "draft", report_due_on(NOW).isoformat())
    (item,) = found["ofac"]["items"]
    assert LISTED in item["owner"]
    assert item["authority"] == "EO 13224"
    content = olga.http.get(f"/desk/filings/{found['filing_id']}/file")
    assert content.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(content.text))
    assert row["payment"] == payment_id
    assert post(olga, f"filings/{found['filing_id']}/approve", version=1).json()["reason"] == "own_draft"
    assert f'/desk/filings/{found["filing_id"]}">Draft' in olga.http.get("/desk/blocked").text
    again = post(olga, "property-reports", kind="blocked", payment_id=payment_id)
    assert problem(again)[:2] == (409, "already_drafted")


def test_a_customers_own_balance_is_reported_with_whom_it_resembled(compliance: Runtime, olga: Analyst) -> None:
    customer_id = ids.new()
    decide(compliance, registered(ALIKE, customer_id=customer_id))
    event = PropertyBlocked(
        account_id=ids.new(),
        customer_id=customer_id,
        blocked_account_id=ids.new(),
        amount_minor=70_00,
        currency="EUR",
        transfer_id=ids.new(),
        blocked_at=NOW,
    )
    decide(compliance, event)
    decide(compliance, event)
    page = olga.http.get("/desk/blocked").text
    assert (
        page.count(event.transfer_id) >= 1
        and ALIKE in page
        and "a customer&#39;s balance" in page.replace("'", "&#39;")
    )
    assert f"/desk/cases/{customer_case_id(customer_id)}" in page
    draft = draft_blocked(compliance.engine, event.transfer_id)
    assert draft is not None
    (item,) = draft.report.items
    assert (item.payment_id, item.amount_minor, item.description) == (
        event.transfer_id,
        70_00,
        "balance of a customer's account, blocked",
    )
    assert ALIKE in item.owner
    drafted = post(olga, "property-reports", kind="blocked", payment_id=event.transfer_id, authority="EO 13224")
    found = olga.http.get(f"/desk/api/filings/{drafted.json()['filing_id']}").json()
    assert (found["kind"], found["due_on"]) == ("blocked", report_due_on(NOW).isoformat())


def test_it_is_written_anew_on_its_own_page(compliance: Runtime, olga: Analyst) -> None:
    payment_id = listed_and_blocked(compliance)
    form = {"csrf_token": olga.csrf_token, "kind": "blocked", "payment_id": payment_id, "request_id": ids.new()}
    assert olga.http.post("/desk/property-reports/new", data={**form, "csrf_token": "forged"}).status_code == 403
    kept = olga.http.post("/desk/property-reports/new", data={**form, "owner": "Somebody"}, follow_redirects=True)
    assert (kept.status_code, "Somebody" in kept.text) == (200, True)
    filing_id = kept.url.path.rpartition("/")[2]
    edit = f"/desk/property-reports/{filing_id}/edit"
    assert 'value="Somebody"' in olga.http.get(edit).text
    changed = {**form, "request_id": ids.new(), "version": "1", "owner": "Somebody else"}
    assert "Somebody else" in olga.http.post(edit, data=changed, follow_redirects=True).text
    stale = olga.http.post(edit, data={**changed, "request_id": ids.new(), "owner": "Nobody"})
    assert (stale.status_code, "has changed" in stale.text, 'value="Nobody"' in stale.text) == (409, True, True)
    assert olga.http.get(f"/desk/filings/{filing_id}/edit").status_code == 404


def test_a_rejected_transfer_is_reported_from_its_case(compliance: Runtime, address: str, olga: Analyst) -> None:
    event = initiated(order(creditor="Ben Baker"))
    decide(compliance, event, suspended(event))
    about = {"kind": "rejected", "payment_id": event.payment_id}
    assert problem(post(olga, "property-reports", **about))[:2] == (404, "nothing_to_report")
    case_id = case_of(event)
    with signed_in(address) as ann, signed_in(address, "analyst2") as ben:
        ann.do("take", case_id)
        ann.do("propose", case_id, decision="reject", note="a prohibited destination")
        assert ben.do("confirm", case_id).status_code == 200
    assert "kind=rejected" in olga.http.get(f"/desk/cases/{case_id}").text
    (waiting,) = olga.http.get("/desk/api/property-reports").json()["rejected"]
    assert (waiting["payment_id"], waiting["case_id"]) == (event.payment_id, case_id)
    assert (waiting["parties"], waiting["due_on"]) == ("Ann Miller to Ben Baker", report_due_on(NOW).isoformat())
    page = olga.http.get("/desk/filings").text
    assert f"kind=rejected&amp;payment_id={event.payment_id}" in page, "nobody has to come across its case"
    drafted = post(olga, "property-reports", **about, authority="31 CFR 560")
    found = olga.http.get(f"/desk/api/filings/{drafted.json()['filing_id']}").json()
    assert (found["kind"], found["case_id"]) == ("rejected", case_id)
    assert "kind=rejected" not in olga.http.get("/desk/filings").text
    assert found["ofac"]["items"][0]["owner"] == "Ann Miller to Ben Baker"
    with signed_in(address, "supervisor") as sue, signed_in(address) as ann, signed_in(address, "analyst2") as ben:
        decided_twice(sue, ann, ben, case_id, "approve")
    # The transfer was refused all the same, on that day.
    again = property_queries.draft_rejected(compliance.engine, event.payment_id)
    assert again is not None
    assert again.report.items[0].on.isoformat() == found["ofac"]["items"][0]["on"]


def test_a_fraud_that_was_refused_is_nothing_for_ofac(compliance: Runtime, address: str, olga: Analyst) -> None:
    event = initiated(order(creditor="Ben Baker"))
    decide(compliance, event, replace(suspended(event), reasons=(InternalReason.FRAUD_REVIEW,)))
    case_id = case_of(event)
    with signed_in(address) as ann, signed_in(address, "analyst2") as ben:
        ann.do("take", case_id)
        ann.do("propose", case_id, decision="reject", note="a stolen card")
        assert ben.do("confirm", case_id).status_code == 200
    assert "kind=rejected" not in olga.http.get(f"/desk/cases/{case_id}").text
    assert olga.http.get("/desk/api/property-reports").json() == {"rejected": []}
    refused = post(olga, "property-reports", kind="rejected", payment_id=event.payment_id)
    assert problem(refused)[:2] == (404, "nothing_to_report")


def test_that_nothing_is_reported_of_a_rejected_transfer_is_said_once(
    compliance: Runtime, address: str, olga: Analyst
) -> None:
    event = initiated(order(creditor="Ben Baker"))
    decide(compliance, event, suspended(event))
    case_id = case_of(event)
    with signed_in(address) as ann, signed_in(address, "analyst2") as ben:
        ann.do("take", case_id)
        ann.do("propose", case_id, decision="reject", note="on the list of another country")
        assert ben.do("confirm", case_id).status_code == 200
    drafted = post(olga, "property-reports", kind="rejected", payment_id=event.payment_id)
    withdrawn = post(olga, f"filings/{drafted.json()['filing_id']}/withdraw", version=1, note="not OFAC's")
    assert withdrawn.status_code == 200
    assert olga.http.get("/desk/api/property-reports").json() == {"rejected": []}


def test_a_second_look_refuses_nothing_and_is_not_reported(compliance: Runtime, address: str, olga: Analyst) -> None:
    event = initiated(order(creditor="Ben Baker"))
    decide(compliance, event, suspended(event))
    case_id = case_of(event)
    with signed_in(address, "supervisor") as sue, signed_in(address) as ann, signed_in(address, "analyst2") as ben:
        ann.do("take", case_id)
        ann.do("propose", case_id, decision="approve", note="known")
        assert ben.do("confirm", case_id).status_code == 200
        decided_twice(sue, ann, ben, case_id, "reject")
    assert "kind=rejected" not in olga.http.get(f"/desk/cases/{case_id}").text
    refused = post(olga, "property-reports", kind="rejected", payment_id=event.payment_id)
    assert problem(refused)[:2] == (404, "nothing_to_report")


def decided_twice(sue: Analyst, ann: Analyst, ben: Analyst, case_id: str, decision: str) -> None:
    """A second look at a case that has ended, and what two people say then."""
    assert sue.do("reopen", case_id, note="once more").status_code == 200
    ann.do("take", case_id)
    ann.do("propose", case_id, decision=decision, note="seen anew")
    assert ben.do("confirm", case_id).status_code == 200


def test_what_is_held_on_a_thirtieth_of_june_is_all_that_was_blocked_by_then(compliance: Runtime) -> None:
    last = datetime(2025, 7, 1, 4, 59, 59, tzinfo=UTC)
    before, on_the_day, after = (blocked(at=at) for at in (NOW.replace(year=2024), last, last + timedelta(seconds=1)))
    decide(compliance, before, on_the_day, after)
    found = draft_annual(compliance.engine, 2025)
    assert found is not None
    assert [item.payment_id for item in found.report.items] == [before.payment_id, on_the_day.payment_id]
    assert draft_annual(compliance.engine, 2023) is None
    assert {item.owner for item in found.report.items} == {OWNER_UNKNOWN}
    assert draft_annual(compliance.engine, TODAY.year + 1) is None, "that day has not come"


def test_the_yearly_report_says_what_officers_found_out_for_the_report_on_each(
    compliance: Runtime, olga: Analyst
) -> None:
    event = blocked(at=NOW.replace(year=2024))
    decide(compliance, event)
    post(olga, "property-reports", kind="blocked", payment_id=event.payment_id, owner="Her heirs", authority="EO 13224")
    found = draft_annual(compliance.engine, 2025)
    assert found is not None
    (item,) = found.report.items
    assert (item.owner, item.authority) == ("Her heirs", "EO 13224")


def test_officers_are_told_that_a_yearly_report_is_to_be_written_until_it_is(
    compliance: Runtime, olga: Analyst
) -> None:
    assert "kind=annual" not in olga.http.get("/desk/filings").text
    decide(compliance, blocked(at=NOW.replace(year=NOW.year - 2)))
    page = olga.http.get("/desk/filings").text
    year = TODAY.year if (TODAY.month, TODAY.day) > (6, 30) else TODAY.year - 1
    assert f"kind=annual&amp;year={year}" in page
    drafted = post(olga, "property-reports", kind="annual", year=year)
    assert drafted.status_code == 200, drafted.text
    page = olga.http.get("/desk/filings").text
    assert "kind=annual" not in page
    assert f"1 held on June 30, {year}" in page
    found = olga.http.get(f"/desk/api/filings/{drafted.json()['filing_id']}").json()
    assert found["due_on"] == f"{year}-09-30"
    assert olga.http.get(f"/desk/filings/{found['filing_id']}").status_code == 200


def test_a_request_that_makes_no_sense_is_refused(compliance: Runtime, olga: Analyst) -> None:
    assert problem(post(olga, "property-reports", kind="annual"))[0] == 422
    assert problem(post(olga, "property-reports", kind="blocked"))[0] == 422
    assert problem(post(olga, "property-reports", kind="blocked", payment_id=ids.new()))[0] == 404
    assert draft_blocked(compliance.engine, ids.new()) is None


def test_who_is_no_officer_sees_no_trace_of_it(compliance: Runtime, address: str, olga: Analyst) -> None:
    payment_id = listed_and_blocked(compliance)
    with signed_in(address, "analyst") as ann:
        before = ann.http.get("/desk/blocked").text
        post(olga, "property-reports", kind="blocked", payment_id=payment_id)
        after = ann.http.get("/desk/blocked").text
    assert "property-reports" not in after
    assert len(before) == len(after)
