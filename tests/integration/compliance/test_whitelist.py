"""A pair of party and entry, from its hit to its end, on real parts: by JSON and in two browsers."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from libs.common.service import Runtime
from schemas.compliance.events import CaseOpened, ComplianceScreened, CustomerRestricted, CustomerVerified
from schemas.payments.events import PaymentInitiated
from services.compliance.domain.whitelist import pair_id_of
from services.compliance.matching.subject import Subject
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots
from tests.integration.compliance.scene import ALIKE, ALIKE_BORN, case_of, initiated, order, registered, rows, suspended
from tests.integration.compliance.test_desk import signed_in
from tests.serving import told

UNTIL = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
PAIR = pair_id_of(Subject(name=ALIKE, birth_date=ALIKE_BORN), "fictional/F-007")


def waiting(compliance: Runtime) -> PaymentInitiated:
    event = initiated(order(creditor=ALIKE, creditor_born=ALIKE_BORN))
    decide(compliance, event, suspended(event))
    return event


def outcome(compliance: Runtime) -> str:
    event = initiated(order(creditor=ALIKE, creditor_born=ALIKE_BORN))
    decide(compliance, event)
    (found,) = (
        one for one in told(compliance) if isinstance(one, ComplianceScreened) and one.payment_id == event.payment_id
    )
    return found.outcome.value


def test_a_pair_goes_from_its_hit_to_its_end_and_all_of_it_is_in_the_audit_log(
    compliance: Runtime, address: str
) -> None:
    event = waiting(compliance)
    with (
        signed_in(address, "analyst") as analyst,
        signed_in(address, "supervisor") as supervisor,
        signed_in(address, "officer") as second,
    ):

        def post(person: object, path: str, **body: object) -> tuple[int, str]:
            assert hasattr(person, "http")
            assert hasattr(person, "csrf_token")
            answer = person.http.post(path, json=body, headers={"X-CSRF-Token": person.csrf_token})
            found = answer.json()
            return answer.status_code, found.get("state") or found.get("reason")

        about = {"case_id": case_of(event), "pair_id": PAIR, "version": 1}
        proposed = {**about, "until": UNTIL, "note": "another passport"}
        assert post(analyst, "/desk/api/whitelist", **{**proposed, "until": "9999-12-31"}) == (422, "end_out_of_range")
        assert post(analyst, "/desk/api/whitelist", **proposed) == (200, "proposed")
        assert post(analyst, "/desk/api/whitelist", **proposed) == (409, "already_whitelisted")
        assert outcome(compliance) == "review"
        path = f"/desk/api/whitelist/{PAIR}"
        assert post(analyst, f"{path}/confirm", version=1) == (403, "forbidden")
        assert post(supervisor, f"{path}/confirm", version=1) == (200, "in_force")
        assert outcome(compliance) == "clear"
        (pair,) = analyst.http.get("/desk/api/whitelist").json()["pairs"]
        assert (pair["reference"], pair["confirmed_by"]) == ("fictional/F-007", "supervisor")
        assert post(supervisor, f"{path}/end", version=2, note="a new photograph") == (200, "in_force")
        assert outcome(compliance) == "clear"
        assert post(supervisor, f"{path}/confirm", version=3) == (409, "own_proposal")
        customer = registered(ALIKE, birth_date=ALIKE_BORN)
        decide(compliance, customer)
        assert post(second, f"{path}/confirm", version=3) == (200, "ended")
        about_her = [one for one in told(compliance) if getattr(one, "customer_id", None) == customer.customer_id]
        assert [type(one) for one in about_her] == [CustomerVerified, CustomerRestricted, CaseOpened]
        assert outcome(compliance) == "review"
        (ended,) = analyst.http.get("/desk/api/whitelist", params={"queue": "ended"}).json()["pairs"]
        assert ended["end_reason"] == "a new photograph"
    found = rows(compliance, "SELECT verb FROM audit_entries WHERE object_id = %s ORDER BY number", PAIR)
    verbs = ["refused", "pair_proposed", "refused", "pair_confirmed", "pair_end_proposed", "refused", "pair_ended"]
    assert [verb for (verb,) in found] == verbs


def test_one_person_whitelists_a_pair_from_the_hit_itself_and_another_confirms(
    ann: Desk, ben: Desk, compliance: Runtime, address: str, shots: Shots
) -> None:
    event = waiting(compliance)
    ann.open(case_of(event))
    hit = ann.page.locator("article.hit").first
    hit.get_by_text("Whitelist this pair").click()
    hit.get_by_label("Until the end of (UTC)").fill(UNTIL)
    hit.get_by_label("How the two are told apart").fill("Another passport, seen in the branch.")
    shots.take(ann.page, "whitelist-propose")
    hit.get_by_role("button", name="Propose").click()
    expect(ann.page.get_by_role("link", name="It waits for a second person")).to_be_visible()
    expect(ann.page.locator(".acts")).to_contain_text("Whitelisting proposed")
    ann.page.goto("/desk/whitelist?queue=proposed")
    expect(ann.page.get_by_role("button", name="Confirm")).to_have_count(0)

    ben.page.goto("/desk/whitelist?queue=proposed")
    shots.take(ben.page, "whitelist-confirm")
    ben.page.get_by_role("button", name="Confirm").click()
    expect(ben.page.get_by_role("status")).to_have_text("What was proposed holds now.")
    assert outcome(compliance) == "clear"
    ann.open(case_of(event))
    expect(ann.page.get_by_text("Whitelisted", exact=True)).to_be_visible()
    ben.page.get_by_text("End", exact=True).click()
    ben.page.get_by_label("Why").fill("A new photograph.")
    ben.page.get_by_role("button", name="Propose its end").click()
    expect(ben.page.get_by_role("status")).to_contain_text("its end waits for another person")
    assert outcome(compliance) == "clear"
    ben.page.goto("/desk/whitelist?queue=proposed")
    expect(ben.page.get_by_role("button", name="Confirm")).to_have_count(0)
    with signed_in(address, "officer") as olga:
        (pair,) = olga.http.get("/desk/api/whitelist").json()["pairs"]
        ended = olga.http.post(
            f"/desk/api/whitelist/{PAIR}/confirm",
            json={"version": pair["version"]},
            headers={"X-CSRF-Token": olga.csrf_token},
        )
        assert ended.json()["state"] == "ended"
    assert outcome(compliance) == "review"
    ben.page.set_viewport_size({"width": 390, "height": 844})
    ben.page.goto("/desk/whitelist?queue=ended")
    expect(ben.page.get_by_text("A new photograph.")).to_be_visible()
    shots.take(ben.page, "whitelist-ended-phone")
    assert (ann.complaints, ben.complaints) == ([], [])


def test_who_is_known_by_name_only_is_whitelisted_by_nobody(ann: Desk, compliance: Runtime, address: str) -> None:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    ann.open(case_of(event))
    hit = ann.page.locator("article.hit").first
    expect(hit.get_by_text("It can't be whitelisted")).to_be_visible()
    expect(hit.get_by_text("Whitelist this pair")).to_have_count(0)
    pair_id = pair_id_of(Subject(name=ALIKE), "fictional/F-007")
    asked = {"case_id": case_of(event), "pair_id": pair_id, "version": 1, "until": UNTIL, "note": "another passport"}
    with signed_in(address, "analyst") as analyst:
        answer = analyst.http.post("/desk/api/whitelist", json=asked, headers={"X-CSRF-Token": analyst.csrf_token})
    assert (answer.status_code, answer.json()["reason"]) == (409, "party_indistinct")
