"""What the law asks for, in a real browser: missing data supplied, a document handed in, property reported."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from libs.common.record import replace
from libs.common.service import Runtime
from schemas.payments.events import InternalReason, PaymentEvidence
from services.compliance.checking import DocumentChecking
from services.compliance.diligence.providers import SimulatedChecks
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots
from tests.integration.compliance.gallery import MISSING
from tests.integration.compliance.scene import (
    LISTED,
    NOW,
    blocked,
    case_of,
    initiated,
    order,
    registered,
    suspended,
    to_another_bank,
)


@pytest.fixture
def olga(compliance: Runtime, address: str, browser: Browser) -> Iterator[Desk]:
    desk = Desk(browser, address, "officer")
    desk.sign_in()
    yield desk
    assert desk.complaints == []
    desk.context.close()


def shoot(page: Page, shots: Shots, name: str) -> None:
    """A page as it looks wide and on a phone, in light and dark; it must never be wider than the screen."""
    for scheme in ("light", "dark"):
        for kind, width, height in (("wide", 1280, 720), ("phone", 390, 844)):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.set_viewport_size({"width": width, "height": height})
            shots.take(page, f"{name}-{kind}-{scheme}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 720})


def test_a_person_supplies_what_the_travel_rule_asks_for(compliance: Runtime, olga: Desk, shots: Shots) -> None:
    event = initiated(to_another_bank())
    decide(compliance, event)
    evidence = PaymentEvidence(fraud_outcome="allow", compliance_outcome="incomplete", compliance_missing=MISSING)
    decide(compliance, replace(suspended(event), reasons=(InternalReason.PARTY_DATA_MISSING,), evidence=evidence))
    page = olga.page
    olga.open(case_of(event))
    panel = page.get_by_role("region", name="Travel rule")
    shoot(page, shots, "travel-missing")
    panel.get_by_label("Date of birth").fill("1980-02-03")
    panel.get_by_label("Place of birth").fill("Ghent")
    panel.get_by_label("Person or company").select_option("company")
    panel.get_by_label("Account number").fill("CH9300762011623852957")
    panel.get_by_role("button", name="Supply").click()
    expect(panel).to_contain_text("Nothing is missing.")
    shoot(page, shots, "travel-complete")


def test_a_document_is_handed_in_on_the_customers_page(compliance: Runtime, olga: Desk, shots: Shots) -> None:
    event = registered("Ann Miller", birth_date="1980-05-17")
    decide(compliance, event)
    page = olga.page
    page.goto(f"/desk/customers/{event.customer_id}")
    page.get_by_text("Hand in a document").click()
    shoot(page, shots, "customer-form")
    page.get_by_label("Number", exact=True).fill("FORGED77")
    page.get_by_label("Issued by").fill("DE")
    page.get_by_label("Name on it").fill("Ann Miller")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("checked now")
    DocumentChecking(compliance.unit, SimulatedChecks()).run_once()
    page.goto(f"/desk/customers/{event.customer_id}")
    expect(page.get_by_role("region", name="Document")).to_contain_text("Not accepted")
    shoot(page, shots, "customer-refused")
    page.get_by_role("region", name="Cases").get_by_role("link").click()
    expect(page.get_by_text("A document was not accepted").first).to_be_visible()
    page.get_by_role("link", name="Customer", exact=True).click()
    expect(page.get_by_role("heading", name="Ann Miller")).to_be_visible()


def test_an_officer_reports_blocked_property_and_what_is_held(compliance: Runtime, olga: Desk, shots: Shots) -> None:
    event = initiated(order(LISTED))
    decide(compliance, event, blocked(event.payment_id), blocked(at=NOW.replace(year=NOW.year - 2)))
    page = olga.page
    page.goto("/desk/blocked")
    shoot(page, shots, "property-blocked")
    page.get_by_role("row").filter(has_text=LISTED).get_by_role("link", name="Write").click()
    page.get_by_label("By which law or programme").fill("EO 13224")
    shoot(page, shots, "property-form")
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.get_by_role("status")).to_contain_text("Another officer has to approve it")
    shoot(page, shots, "property-draft")
    page.goto("/desk/filings")
    page.get_by_role("link", name="Write the report").click()
    page.get_by_label("Remarks").fill("none")
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.get_by_role("heading", name="Property held on June 30")).to_be_visible()
    page.goto("/desk/filings")
    expect(page.get_by_role("link", name="Write the report")).to_have_count(0)
    shoot(page, shots, "property-filings")
