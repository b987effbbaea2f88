"""What a case shows of its customers' money, in a real browser: charts, a network, the payment's way."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, expect

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.payments.events import PaymentInitiated
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, at_desk
from tests.integration.compliance.scene import ALIKE, NOW, case_of, initiated, order, registered, suspended
from tests.integration.compliance.test_case_page import settled

NAMES = ("Mara Lindqvist", "Tomas Okafor", "Blue Harbour Trading GmbH", "Ines Delacroix", "Otto Brandt")


@pytest.fixture
def busy(compliance: Runtime) -> PaymentInitiated:
    """A payment that waits, between two whose money has moved a good deal."""
    event = initiated(order("Ann Miller", ALIKE, creditor_born="1957-09-09", country="RS"))
    payer, payee = event.order.debtor_customer_id, event.order.creditor_customer_id
    assert payer
    assert payee
    chance = Random(3)
    near, far = [ids.new() for _ in range(18)], [ids.new() for _ in range(70)]
    for number, customer_id in enumerate((*near, *far)):
        name = f"{NAMES[number % 5]} {number}" if number >= 5 else NAMES[number]
        decide(compliance, registered(name, customer_id=customer_id))
    movements = []
    for customer_id in near:
        middle = payer if chance.random() < 0.6 else payee
        for _ in range(chance.randrange(1, 5)):
            ends = (customer_id, middle) if chance.random() < 0.5 else (middle, customer_id)
            movements.append(settled(*ends, chance.randrange(40, 9_000), days_ago=chance.random() * 80))
    for customer_id in far:
        ends = (customer_id, chance.choice(near))
        ends = ends if chance.random() < 0.5 else ends[::-1]
        movements.append(settled(*ends, chance.randrange(20, 3_000), days_ago=chance.random() * 80))
    decide(compliance, *movements)
    again = initiated(replace(order("Ann Miller", "Ben Baker"), debtor_customer_id=payer))
    decide(compliance, event, suspended(event), again, suspended(again))
    return event


def test_a_case_shows_history_network_way_and_other_cases(ann: Desk, busy: PaymentInitiated, shots: Path) -> None:
    page = ann.page
    ann.open(case_of(busy))
    history = page.get_by_role("region", name="90 days of history")
    expect(history.get_by_role("img", name="Money of Ann Miller, day by day")).to_be_visible()
    history.get_by_text("As a table").first.click()
    expect(history.get_by_role("columnheader", name="Day").first).to_be_visible()
    network = page.get_by_role("region", name="Network of counterparties")
    expect(network.get_by_role("img", name="Network of counterparties")).to_be_visible()
    expect(network.locator("a.node").filter(has_text="Mara Lindqvist").first).to_be_visible()
    expect(network.get_by_text("held: 1,250.00 EUR").last).to_be_visible()
    expect(page.get_by_role("region", name="The payment’s way through the services")).to_contain_text("Suspended")
    related = page.get_by_role("region", name="Other cases of the same customers")
    expect(related.get_by_role("link", name="Ann Miller → Ben Baker")).to_be_visible()
    page.screenshot(path=shots / "case-network.png", full_page=True)
    network.locator("a.node.hop-1").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert ann.complaints == []


def test_it_can_be_read_on_a_phone_and_in_the_dark(
    compliance: Runtime, address: str, browser: Browser, busy: PaymentInitiated, shots: Path
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with at_desk(browser, address, "analyst1", **phone) as desk:
        desk.open(case_of(busy))
        expect(desk.page.get_by_role("region", name="Network of counterparties")).to_be_visible()
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390
        desk.page.screenshot(path=shots / "case-network-phone.png", full_page=True)
        assert desk.complaints == []


def test_where_no_money_has_moved_the_page_says_so(ann: Desk, compliance: Runtime) -> None:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event, at=NOW - timedelta(minutes=1)))
    ann.open(case_of(event))
    expect(ann.page.get_by_text("No payment of this customer’s has settled in 90 days.")).to_have_count(0)
    expect(ann.page.get_by_text("No payment with another customer has settled in 90 days.")).to_be_visible()
