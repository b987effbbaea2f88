"""Knowing customers on real parts: rated from their topic on, proven by documents, looked at again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.database import execute, transaction
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.accounts.events import AccountOpened, CustomerPersonalData, CustomerRegistered
from schemas.compliance.events import CaseOpened, CustomerRestricted, CustomerVerified
from services.compliance.checking import DocumentChecking
from services.compliance.defaults.travel import FOLDER
from services.compliance.diligence.providers import NobodyChecks, SimulatedChecks
from services.compliance.diligence_api import CustomerView
from services.compliance.domain.audit import Signature
from services.compliance.domain.customers import customer_case_id
from services.compliance.domain.diligence import RateCustomer, ReviewCustomer
from services.compliance.importing import import_countries, read_countries
from services.compliance.store import audit
from tests.deciding import Announcer, decide
from tests.integration.compliance.scene import NOW, registered, rows, take_in
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.serving import Api, problem, require, running, told
from tests.waiting import wait_until

PASSPORT: dict[str, Any] = {
    "kind": "passport",
    "number": "P1234567",
    "country": "DE",
    "name": "Ann Miller",
    "birth_date": "1980-05-17",
    "expires_on": "2999-01-31",
}


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
def customer_id(compliance: Runtime) -> str:
    event = registered("Ann Miller", birth_date="1980-05-17")
    decide(compliance, event)
    return event.customer_id


def tiers(compliance: Runtime) -> list[int]:
    """What accounts was told."""
    return [event.tier for event in told(compliance) if isinstance(event, CustomerVerified)]


def seen(api: Api, customer_id: str) -> dict[str, Any]:
    answer = api.get(f"/v1/customers/{customer_id}", by="staff")
    require(CustomerView, answer)
    found: dict[str, Any] = answer.json()
    return found


def test_a_customer_is_rated_from_its_topic_on_and_again_when_it_opens_an_account(
    compliance: Runtime, api: Api
) -> None:
    event = registered("Ann Miller", birth_date="1980-05-17")
    account = AccountOpened(account_id=ids.new(), customer_id=event.customer_id, currency="BTC", opened_at=NOW)
    announcer = Announcer(compliance, CustomerRegistered, AccountOpened)
    announcer.announce(event)
    with running(compliance.consumer.run):
        wait_until(lambda: len(tiers(compliance)) == 1)
        announcer.announce(account)
        wait_until(lambda: len(seen(api, event.customer_id)["rating"]["factors"]) == 2)
    assert [one["factor"] for one in seen(api, event.customer_id)["rating"]["factors"]] == ["country_unknown", "crypto"]


def test_a_document_is_asked_about_until_somebody_answers_and_lifts_the_tier(
    compliance: Runtime, api: Api, customer_id: str
) -> None:
    handed = api.post(f"/v1/customers/{customer_id}/documents", {**PASSPORT, "number": "DOWN1-77"}, by="staff")
    assert handed.status_code == 201, handed.text
    require(CustomerView, handed)
    checking = DocumentChecking(compliance.unit, SimulatedChecks())
    assert checking.run_once() == 1
    assert (seen(api, customer_id)["document"]["status"], seen(api, customer_id)["document"]["asked"]) == ("pending", 1)
    assert checking.run_once() == 0, "it rests before it is asked about again"
    compliance.unit.administer(lambda tx: execute(tx, "UPDATE customers SET ask_at = now()"))
    with running(checking.run):
        wait_until(lambda: seen(api, customer_id)["document"]["status"] == "passed")
    assert tiers(compliance) == [2, 3]
    assert checking.run_once() == 0


def test_without_a_provider_nothing_is_proven(compliance: Runtime, api: Api, customer_id: str) -> None:
    api.post(f"/v1/customers/{customer_id}/documents", PASSPORT, by="staff")
    DocumentChecking(compliance.unit, NobodyChecks()).run_once()
    assert seen(api, customer_id)["document"]["status"] == "pending"
    assert tiers(compliance) == [2]


def test_a_forged_document_becomes_a_case(compliance: Runtime, api: Api, customer_id: str, ann: Analyst) -> None:
    api.post(f"/v1/customers/{customer_id}/documents", {**PASSPORT, "number": "FORGED1"}, by="staff")
    DocumentChecking(compliance.unit, SimulatedChecks()).run_once()
    assert ann.case(customer_case_id(customer_id))["reasons"] == ["document_refused"]
    page = ann.http.get(f"/desk/customers/{customer_id}").text
    assert "Not accepted" in page
    assert f"/desk/cases/{customer_case_id(customer_id)}" in page


def test_a_listed_number_is_found_when_the_document_is_accepted_and_its_page_says_so(
    compliance: Runtime, api: Api, customer_id: str, ann: Analyst
) -> None:
    take_in(compliance, "entity_id,kind,name,identifiers\n1,person,Tortov Grimbel,K 7711 0042\n")
    api.post(f"/v1/customers/{customer_id}/documents", {**PASSPORT, "number": "K77110042"}, by="staff")
    DocumentChecking(compliance.unit, SimulatedChecks()).run_once()
    assert [type(event) for event in told(compliance)] == [CustomerVerified, CustomerRestricted, CaseOpened]
    case = ann.case(customer_case_id(customer_id))
    assert case["reasons"] == ["resembles_listed"]
    page = ann.http.get(f"/desk/cases/{customer_case_id(customer_id)}").text
    assert "the same official number: K77110042" in page
    assert "It can't be whitelisted: a document has proven" in page
    assert "Proven numbers" in ann.http.get(f"/desk/customers/{customer_id}").text


def test_requests_that_make_no_sense_are_refused(api: Api, customer_id: str) -> None:
    path = f"/v1/customers/{customer_id}/documents"
    assert problem(api.post(path, {**PASSPORT, "country": "Germany"}, by="staff"))[::2] == (422, "country")
    assert problem(api.post(path, PASSPORT))[0] == 403
    assert api.post(path, PASSPORT, by="staff").status_code == 201
    assert problem(api.post(path, PASSPORT, by="staff"))[:2] == (409, "document_pending")
    unknown = f"/v1/customers/{ids.new()}"
    assert api.get(unknown, by="staff").status_code == 404
    assert api.post(f"{unknown}/documents", PASSPORT, by="staff").status_code == 404


def test_a_person_hands_in_a_document_on_the_customers_page(
    compliance: Runtime, customer_id: str, ann: Analyst
) -> None:
    path = f"/desk/customers/{customer_id}"
    form = {**PASSPORT, "csrf_token": ann.csrf_token}
    assert ann.http.post(f"{path}/documents", data={**form, "csrf_token": "forged"}).status_code == 403
    wrong = ann.http.post(f"{path}/documents", data={**form, "country": "Germany"})
    assert (wrong.status_code, "country: " in wrong.text) == (422, True)
    done = ann.http.post(f"{path}/documents", data=form, follow_redirects=True)
    assert "Being checked" in done.text
    assert PASSPORT["number"] not in str(rows(compliance, "SELECT details FROM audit_entries"))
    again = ann.http.post(f"{path}/documents", data=form)
    assert (again.status_code, "is being checked" in again.text) == (409, True)


def test_when_it_is_time_the_sweep_has_people_look_at_a_customer_again(
    compliance: Runtime, customer_id: str, ann: Analyst
) -> None:
    compliance.sweep.run_once()
    assert ann.queue()["cases"] == []
    then = datetime.now(UTC) + timedelta(days=5 * 366)
    assert compliance.service.find_due is not None
    find_due = compliance.service.find_due
    due = compliance.unit.administer(lambda tx: find_due(tx, then, 10))
    decide(compliance, *(message.body for message in due), at=then)
    assert ann.case(customer_case_id(customer_id))["reasons"] == ["review_due"]
    later = compliance.unit.administer(lambda tx: find_due(tx, then, 10))
    assert not [message for message in later if isinstance(message.body, ReviewCustomer)]


def test_customers_from_before_there_were_ratings_are_rated_by_the_sweep(
    compliance: Runtime, api: Api, customer_id: str
) -> None:
    before = """UPDATE customers SET rating = NULL, review_on = NULL, countries_version = -1,
                       body = (body::jsonb - 'rating' - 'tier' - 'review_on' - 'rated_by')::text"""
    compliance.unit.administer(lambda tx: execute(tx, before))
    assert seen(api, customer_id)["rating"] is None
    compliance.sweep.run_once()
    assert seen(api, customer_id)["rating"]["level"] == "low"
    assert tiers(compliance) == [2, 2]


def test_lists_of_countries_that_are_imported_have_the_sweep_rate_customers_anew(compliance: Runtime, api: Api) -> None:
    event = registered("Ann Miller", birth_date="1980-05-17")
    personal = CustomerPersonalData(name="Ann Miller", birth_date="1980-05-17", country="DE")
    decide(compliance, replace(event, personal=personal))
    customer_id = event.customer_id
    compliance.sweep.run_once()
    by = Signature(actor="root", role="operator")
    content = (FOLDER / "fatf.csv").read_bytes().splitlines()
    content.append(b"DE,call_for_action,2026-01-01," + b"," * (content[0].count(b",") - 3))
    imported = read_countries("fatf.csv", b"\n".join(content), by=by)
    assert compliance.unit.administer(lambda tx: import_countries(tx, imported, by=by)).version is not None
    compliance.sweep.run_once()
    assert seen(api, customer_id)["rating"]["level"] == "high"
    ((details,),) = rows(compliance, "SELECT details FROM audit_entries WHERE verb = 'rated'")
    assert "is high" in details
    assert compliance.sweep.run_once() == 0


def test_a_rating_that_is_not_put_down_waits_for_nobody_at_the_log(compliance: Runtime) -> None:
    event = registered("Ann Miller", birth_date="1980-05-17")
    decide(compliance, event)
    with transaction(compliance.engine) as tx:
        audit.lock_head(tx)
        (decided,) = decide(compliance, RateCustomer(customer_id=event.customer_id))
    assert decided.error is None
