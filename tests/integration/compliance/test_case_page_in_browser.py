"""What a case shows of its customers' money, in a real browser: charts, a network, the payment's way."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from libs.common.service import Runtime
from schemas.payments.events import PaymentInitiated
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots, at_desk
from tests.integration.compliance.gallery import busy_payment
from tests.integration.compliance.scene import ALIKE, NOW, case_of, initiated, order, suspended


@pytest.fixture
def busy(compliance: Runtime) -> PaymentInitiated:
    return busy_payment(compliance)


def test_a_case_shows_history_network_way_and_other_cases(ann: Desk, busy: PaymentInitiated, shots: Shots) -> None:
    page = ann.page
    ann.open(case_of(busy))
    history = page.get_by_role("region", name="90 days of history")
    expect(history.get_by_role("img", name="Money of Ann Miller, day by day")).to_be_visible()
    history.get_by_text("As a table").first.click()
    expect(history.get_by_role("columnheader", name="Day").first).to_be_visible()
    network = page.get_by_role("region", name="Network of counterparties")
    expect(network.get_by_role("img", name="Network of counterparties")).to_be_visible()
    expect(network.locator("a.node").filter(has_text="Mara Lindqvist").first).to_be_visible()
    expect(network.get_by_text("held: 18,400.00 EUR").last).to_be_visible()
    expect(page.get_by_role("region", name="The payment’s way through the services")).to_contain_text("Suspended")
    related = page.get_by_role("region", name="Other cases of the same customers")
    expect(related.get_by_role("link", name="Ann Miller → Ben Baker")).to_be_visible()
    shots.take(page, "case-network")
    node = network.locator("a.node.hop-1").first
    name = node.locator("title").text_content()
    assert name
    node.click()
    expect(page).to_have_url(re.compile("/desk/customers/"))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert ann.complaints == []


def test_it_can_be_read_on_a_phone_and_in_the_dark(
    compliance: Runtime, address: str, browser: Browser, busy: PaymentInitiated, shots: Shots
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with at_desk(browser, address, "analyst1", **phone) as desk:
        desk.open(case_of(busy))
        expect(desk.page.get_by_role("region", name="Network of counterparties")).to_be_visible()
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390
        shots.take(desk.page, "case-network-phone")
        assert desk.complaints == []


def test_where_no_money_has_moved_the_page_says_so(ann: Desk, compliance: Runtime) -> None:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event, at=NOW - timedelta(minutes=1)))
    ann.open(case_of(event))
    expect(ann.page.get_by_text("No payment of this customer’s has settled in 90 days.")).to_have_count(0)
    expect(ann.page.get_by_text("No payment with another customer has settled in 90 days.")).to_be_visible()
