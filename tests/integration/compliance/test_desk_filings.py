"""Reports at the desk: an officer's way from a case to the file; who must not know, does not."""

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.filings import ApproveFiling, DraftFiling
from services.compliance.domain.people import Role
from services.compliance.monitoring_queries import list_alerts_to_report
from services.compliance.queries import find_case
from tests.deciding import decide
from tests.integration.compliance.reports import FORM, REPORT, TODAY, as_json, filing_on
from tests.integration.compliance.scene import ALIKE, case_of, initiated, order, rows, suspended
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.integration.compliance.test_monitoring import WEDNESDAY, settled
from tests.unit.compliance.forms import require_form
from tests.unit.compliance.test_filings import CTR


@pytest.fixture
def officer(compliance: Runtime, address: str) -> Iterator[Analyst]:
    with signed_in(address, "officer") as found:
        yield found


@pytest.fixture
def case_id(compliance: Runtime) -> str:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    return case_of(event)


def post(person: Analyst, path: str, **form: Any) -> Any:
    return person.http.post(path, data={**form, "csrf_token": person.csrf_token})


def ask(person: Analyst, path: str, **body: Any) -> Any:
    return person.http.post(f"/desk/api/filings{path}", json=body, headers={"X-CSRF-Token": person.csrf_token})


def test_a_report_goes_from_its_case_through_two_officers_to_the_file(
    compliance: Runtime, officer: Analyst, case_id: str
) -> None:
    begun = officer.http.get("/desk/filings/new", params={"case_id": case_id, "kind": "sar"})
    assert begun.status_code == 200
    assert 'value="Stojadivich"' in begun.text, "what the case knows stands in the form"
    kept = post(officer, "/desk/filings/new", **{**FORM, "case_id": case_id, "request_id": ids.new()})
    assert kept.status_code == 303, kept.text
    page = kept.headers["location"].partition("?")[0]
    assert "Another officer has to approve" in officer.http.get(page).text
    own = post(officer, f"{page}/approve", version=1, request_id=ids.new())
    assert own.status_code == 409 and "another officer must approve" in own.text
    filing_id = page.rpartition("/")[2]
    # Somebody else revises it, and so this officer may approve.
    with_other = 'UPDATE filings SET body = replace(body, \'"written_by":"officer"\', \'"written_by":"olga"\')'
    compliance.unit.administer(lambda tx: tx.exec_driver_sql(f"{with_other} WHERE filing_id = '{filing_id}'"))
    assert post(officer, f"{page}/approve", version=1, request_id=ids.new()).status_code == 303
    file = officer.http.get(f"{page}/file")
    assert file.headers["content-disposition"] == f'attachment; filename="sar-{filing_id}.xml"'
    assert file.headers["x-content-type-options"] == "nosniff"
    require_form(file.content)
    filed = post(officer, f"{page}/filed", version=2, document_number="31000123", filed_on=TODAY.isoformat())
    assert filed.status_code == 303
    shown = officer.http.get("/desk/filings", params={"queue": "review"}).text
    assert page in shown and "31000123" in shown
    assert rows(compliance, "SELECT kind FROM filing_acts ORDER BY number") == [
        ("drafted",), ("approved",), ("filed",),
    ]  # fmt: skip


def test_what_goes_on_is_continued_from_the_report_before_and_leaves_the_list(
    compliance: Runtime, officer: Analyst, case_id: str
) -> None:
    filing_id = filing_on(compliance, case_id, number="31000123456789")
    page = officer.http.get(f"/desk/filings/{filing_id}").text
    assert f"/desk/filings/new?case_id={case_id}&amp;kind=sar&amp;continues={filing_id}" in page
    begun = officer.http.get("/desk/filings/new", params={"case_id": case_id, "continues": filing_id}).text
    assert 'value="31000123456789"' in begun and f'value="{TODAY.isoformat()}"' in begun
    assert all(f'value="{one.last_name}"' in begun for one in REPORT.subjects if one.last_name == "Mules Ltd")
    assert f'name="continues" value="{filing_id}"' in begun
    form = {**FORM, "case_id": case_id, "request_id": ids.new(), "prior_document_number": "31000123456789"}
    # Of whom the form has fewer fields than are known: the rest is as it was.
    ann = REPORT.subjects[0]
    form |= {"subjects.0.last_name": str(ann.last_name), "subjects.0.first_name": str(ann.first_name)}
    form["continues"] = filing_id
    kept = post(officer, "/desk/filings/new", **form)
    assert kept.status_code == 303, kept.text
    second = kept.headers["location"].partition("?")[0].rpartition("/")[2]
    drafted = officer.http.get(f"/desk/api/filings/{second}").json()
    assert drafted["due_on"] == (TODAY + timedelta(days=120)).isoformat()
    assert [one["number"] for one in drafted["sar"]["subjects"][0]["documents"]] == ["P 123-456"]
    decide(compliance, ApproveFiling(filing_id=second, actor="oscar", role=Role.OFFICER, version=1))
    assert filing_id in officer.http.get("/desk/filings", params={"queue": "review"}).text
    filed = post(officer, f"/desk/filings/{second}/filed", version=2, document_number="2", filed_on=TODAY.isoformat())
    assert filed.status_code == 303
    listed = officer.http.get("/desk/filings", params={"queue": "review"}).text
    assert second in listed and filing_id not in listed
    reviewed = post(officer, f"/desk/filings/{second}/review", version=3, note="It has ended.")
    assert reviewed.status_code == 303
    assert "Nothing is to be looked at again" in officer.http.get("/desk/filings", params={"queue": "review"}).text
    assert "It has ended." in officer.http.get(f"/desk/filings/{second}").text


def test_what_goes_on_is_found_in_the_cases_that_came_after_the_one_that_was_reported(compliance: Runtime) -> None:
    ann, till, day = ids.new(), ids.new(), timedelta(days=1)

    def pay(after: timedelta) -> list[str]:
        decide(compliance, settled(11_000, debtor=till, creditor=ann, after=after, is_cash=True))
        found = rows(compliance, "SELECT case_id::text FROM cases WHERE customer_id = %s ORDER BY opened_at", ann)
        return [case_id for (case_id,) in found]

    (reported,) = pay(0 * day)
    about: dict[str, Any] = {"case_id": reported, "role": Role.SUPERVISOR}
    decide(compliance, TakeCase(**about, actor="ann", version=1))
    suspicious: dict[str, Any] = {"decision": CaseDecision.REJECT, "note": "a report is written"}
    decide(compliance, ProposeDecision(**about, actor="ann", version=2, **suspicious))
    decide(compliance, ConfirmDecision(**about, actor="ben", version=3, note=""))
    later = pay(20 * day)
    assert len(later) == 2, "the next alert is another case's"
    case = find_case(compliance.engine, reported)
    assert case is not None
    moved_on = [WEDNESDAY.date(), (WEDNESDAY + 20 * day).date()]
    since = [list_alerts_to_report(compliance.engine, case, since) for since in (None, moved_on[0] + day)]
    assert [[alert.occurred_at.date() for alert in found] for found in since] == [moved_on[:1], moved_on[1:]]


def test_a_report_on_more_people_than_the_form_shows_is_not_cut(
    compliance: Runtime, officer: Analyst, case_id: str
) -> None:
    many = replace(REPORT, subjects=REPORT.subjects[:1] * 21)
    filing_id = ask(officer, "", case_id=case_id, detected_on=TODAY.isoformat(), sar=as_json(many)).json()["filing_id"]
    refused = officer.http.get(f"/desk/filings/{filing_id}/edit")
    assert refused.status_code == 409 and "names 21 people" in refused.text
    form = {**FORM, "case_id": case_id, "version": 1, "request_id": ids.new()}
    assert post(officer, f"/desk/filings/{filing_id}/edit", **form).status_code == 409
    assert len(officer.http.get(f"/desk/api/filings/{filing_id}").json()["sar"]["subjects"]) == 21


def test_reports_under_way_when_deadlines_were_mended_have_their_right_day(
    compliance: Runtime, officer: Analyst, case_id: str
) -> None:
    filing_on(compliance, case_id, number="31000123456789")
    other = initiated(order(creditor=ALIKE))
    decide(compliance, other, suspended(other))
    cash, goes_on = ids.new(), ids.new()
    wrong = TODAY + timedelta(days=300)
    olga: dict[str, Any] = {"actor": "olga", "role": Role.OFFICER, "version": 0, "detected_on": TODAY}
    paid = replace(CTR, transacted_on=TODAY - timedelta(days=5))
    decide(compliance, DraftFiling(filing_id=cash, case_id=case_of(other), ctr=paid, **olga))
    continuing = replace(REPORT, prior_document_number=31000123456789)
    decide(compliance, DraftFiling(filing_id=goes_on, case_id=case_of(other), sar=continuing, **olga))
    as_it_was = f"""UPDATE filings SET due_on = '{wrong}', body = (body::jsonb || '{{"due_on": "{wrong}"}}')::text
                     WHERE case_id = '{case_of(other)}'"""
    migration = importlib.import_module("services.compliance.migrations.0017_filings_continued")
    statements = as_it_was, migration.CASH_DUE, migration.CONTINUING_DUE
    compliance.unit.administer(lambda tx: [tx.exec_driver_sql(statement) for statement in statements])
    for filing_id, due_on in ((cash, TODAY + timedelta(days=10)), (goes_on, TODAY + timedelta(days=120))):
        assert officer.http.get(f"/desk/api/filings/{filing_id}").json()["due_on"] == due_on.isoformat()
        assert rows(compliance, f"SELECT due_on FROM filings WHERE filing_id = '{filing_id}'") == [(due_on,)]


def test_what_is_written_wrong_is_told_and_kept_in_the_form(officer: Analyst, case_id: str) -> None:
    form = {**FORM, "case_id": case_id, "request_id": ids.new(), "narrative": "Kept <b>words</b>"}
    answer = post(officer, "/desk/filings/new", **{**form, "dollars": "many"})
    assert answer.status_code == 422
    assert "dollars is no whole number" in answer.text
    assert "Kept &lt;b&gt;words&lt;/b&gt;" in answer.text and 'value="many"' in answer.text
    unknown = post(officer, "/desk/filings/new", **{**form, "case_id": ids.new()})
    assert unknown.status_code == 422 and "there is no such case" in unknown.text


def test_a_form_that_is_sent_twice_is_one_report(compliance: Runtime, officer: Analyst, case_id: str) -> None:
    form = {**FORM, "case_id": case_id, "request_id": ids.new()}
    first, second = (post(officer, "/desk/filings/new", **form) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert rows(compliance, "SELECT count(*) FROM filings") == [(1,)]


def test_programs_of_officers_do_the_same(compliance: Runtime, officer: Analyst, case_id: str) -> None:
    drafted = ask(officer, "", case_id=case_id, detected_on=TODAY.isoformat(), sar=as_json())
    assert drafted.status_code == 200, drafted.text
    filing_id = drafted.json()["filing_id"]
    assert ask(officer, "", case_id=case_id, detected_on=TODAY.isoformat()).json()["reason"] == "missing"
    wrong = ask(officer, f"/{filing_id}/revise", version=1, sar={**as_json(), "dollars": "many"})
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "wrong_value")
    assert ask(officer, f"/{filing_id}/revise", version=1, sar=as_json()).json()["version"] == 2
    assert ask(officer, f"/{filing_id}/withdraw", version=2, note=" ").json()["reason"] == "note_missing"
    assert ask(officer, f"/{filing_id}/withdraw", version=2, note="Explained.").json()["status"] == "withdrawn"
    found = officer.http.get(f"/desk/api/filings/{filing_id}").json()
    assert [act["kind"] for act in found["acts"]] == ["drafted", "revised", "withdrawn"]
    (listed,) = officer.http.get("/desk/api/filings", params={"queue": "ended"}).json()["filings"]
    assert listed == {key: value for key, value in found.items() if key != "acts"}
    assert ask(officer, f"/{ids.new()}/approve", version=1).status_code == 404


def test_pages_of_reports_go_on_where_the_one_before_ended(compliance: Runtime, officer: Analyst) -> None:
    for _ in range(27):
        event = initiated(order(creditor=ALIKE))
        decide(compliance, event, suspended(event))
        filing_on(compliance, case_of(event))
    first = officer.http.get("/desk/api/filings").json()
    second = officer.http.get("/desk/api/filings", params={"after": first["next_cursor"]}).json()
    found = [filing["filing_id"] for filing in first["filings"] + second["filings"]]
    assert (len(first["filings"]), len(set(found)), second["next_cursor"]) == (25, 27, None)
    assert "Next page" in officer.http.get("/desk/filings").text


@pytest.mark.parametrize("username", ["analyst", "analyst1", "administrator"])
def test_nobody_else_can_tell_that_a_report_exists(
    compliance: Runtime, address: str, case_id: str, username: str
) -> None:
    """Not by a page, not by the API, not by what is refused, and not by any event."""
    with signed_in(address, username) as person:
        before = [person.http.get(path) for path in _seen(case_id)]
        events = rows(compliance, "SELECT count(*) FROM outbox")
        filing_id = filing_on(compliance, case_id, approved=True)
        after = [person.http.get(path) for path in _seen(case_id)]
        assert [_without_tokens(page.text) for page in before] == [_without_tokens(page.text) for page in after]
        assert rows(compliance, "SELECT count(*) FROM outbox") == events
        for path in (f"/desk/filings/{filing_id}", f"/desk/filings/{filing_id}/file", "/desk/filings"):
            known, unknown = person.http.get(path), person.http.get(path.replace(filing_id, ids.new()))
            assert (known.status_code, known.text) == (403, unknown.text)
            assert "filing" not in known.text.lower()
        for path in (f"/desk/api/filings/{filing_id}", "/desk/api/filings"):
            assert person.http.get(path).status_code == 403


def _seen(case_id: str) -> tuple[str, ...]:
    return "/desk", f"/desk/cases/{case_id}", "/desk/blocked", f"/desk/api/cases/{case_id}", "/desk/api/cases"


def _without_tokens(page: str) -> str:
    """A page without what is new in each: tokens of its forms, and ages."""
    lines = page.splitlines()
    return "\n".join(line for line in lines if "request_id" not in line and 'data-label="Age"' not in line)


def test_officers_who_begin_at_once_make_one_report(compliance: Runtime, officer: Analyst, case_id: str) -> None:
    body = {"case_id": case_id, "detected_on": TODAY.isoformat(), "sar": as_json()}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(officer, "", **body), range(6)))
    told = sorted((answer.status_code, answer.json().get("reason", "")) for answer in answers)
    assert told == [(200, ""), *[(409, "already_drafted")] * 5]
    assert rows(compliance, "SELECT count(*) FROM filings") == [(1,)]
