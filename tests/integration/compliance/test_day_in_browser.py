"""Days at the desk in a real browser: an analyst's from signing in to going home, one without a mouse, and one that is
spent looking for what nobody may know.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from libs.common.service import Runtime
from schemas.payments.events import PaymentInitiated
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots, at_desk
from tests.integration.compliance.reports import filing_on
from tests.integration.compliance.scene import ALIKE, PASSWORD, case_of, initiated, order, registered, suspended

TABS_MAX = 120
"""Whoever has not come to a field by then has lost it."""


@pytest.fixture
def payment(compliance: Runtime) -> PaymentInitiated:
    event = initiated(order("Ann Miller", ALIKE, creditor_born="1957-09-09", country="RS", reference="Invoice 7731"))
    payer = event.order.debtor_customer_id
    assert payer
    decide(compliance, registered("Ann Miller", customer_id=payer), event, suspended(event))
    return event


def test_an_analysts_whole_day(
    compliance: Runtime, address: str, browser: Browser, payment: PaymentInitiated, shots: Shots, tmp_path: Path
) -> None:
    ann = Desk(browser, address, "analyst")
    page = ann.page
    ann.sign_in()
    page.get_by_role("button", name="Next case").click()
    expect(page.get_by_role("status")).to_have_text("The case is yours.")

    payee = page.get_by_role("region", name=f"Payee {ALIKE}")
    beside = payee.get_by_role("row", name="Name")
    expect(beside.locator("mark.same")).to_have_text(["Vlastimor", "Vlastimor"])
    expect(beside.locator("mark.near")).to_have_text(["Stojadivich", "STOJADIVIC"])
    expect(payee.get_by_role("row", name="Born").locator("mark.same")).to_have_text(["1957-09-09", "1957-09-09"])
    expect(payee).to_contain_text("FICTION-WARCRIMES")
    expect(page.get_by_text("Resembles nobody listed.")).to_be_visible()

    page.get_by_label("Write a note").fill("Asked the branch: no other papers.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("status")).to_have_text("The note is on record.")
    evidence = tmp_path / "passport.pdf"
    evidence.write_bytes(b"%PDF-1.7\na passport")
    page.get_by_text("Add a file").click()
    page.get_by_label("PDF, PNG, JPEG, text or CSV, 5 MB at most").set_input_files(evidence)
    page.get_by_role("button", name="Add file").click()
    expect(page.get_by_role("region", name="Files")).to_contain_text("passport.pdf")
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Why").fill("Same day of birth, same town.\nNo other papers.")
    shots.take(page, "case-propose")
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("waits for another person")
    expect(page.get_by_text("You can't confirm what you have proposed.")).to_be_visible()
    expect(page.get_by_role("button", name="Confirm: reject")).to_have_count(0)

    with at_desk(browser, address, "supervisor") as ben:
        ben.page.goto("/desk?queue=proposed")
        ben.page.get_by_role("link", name=f"Ann Miller → {ALIKE}").click()
        expect(ben.page.locator("blockquote")).to_contain_text("No other papers.")
        shots.take(ben.page, "case-confirm")
        ben.page.get_by_role("button", name="Confirm: reject").click()
        expect(ben.page.get_by_role("status")).to_have_text("The decision stands.")
        newest = ben.page.locator(".acts li").first
        expect(newest).to_contain_text("Confirmed")
        expect(newest).to_contain_text("supervisor")
        assert ben.complaints == []

    page.get_by_role("searchbox").or_(page.get_by_label("Search for a name or an id")).fill("ann miller")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Cases")).to_contain_text("Reject")
    page.get_by_role("region", name="Customers").get_by_role("link", name="Ann Miller").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann Miller")
    page.get_by_role("button", name="Sign out").click()
    ann.open(case_of(payment))
    expect(page.get_by_role("heading", name="Sign in to the desk")).to_be_visible()
    assert ann.complaints == []
    ann.context.close()


def test_cases_are_worked_on_with_the_keyboard_alone(
    compliance: Runtime, address: str, browser: Browser, payment: PaymentInitiated, shots: Shots
) -> None:
    desk = Desk(browser, address, "analyst1")
    page, press = desk.page, desk.page.keyboard.press
    # Whoever has no mouse: a test that clicks all the same is found out.
    desk.context.add_init_script("addEventListener('pointerdown', () => console.error('a mouse was used'), true)")
    page.goto("/desk")
    _write(page, page.get_by_label("User name"), "analyst1")
    _write(page, page.get_by_label("Password"), PASSWORD)
    press("Enter")
    expect(page.get_by_role("heading", name="Cases", level=1)).to_be_visible()
    press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    shots.take(page, "keys", is_whole=False)
    press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    press("n")
    expect(page.get_by_role("status")).to_have_text("The case is yours.")
    press("c")
    page.keyboard.type("the branch called: n t p ?")
    _reach(page, page.get_by_role("button", name="Add note"))
    press("Enter")
    expect(page.locator(".acts li").first).to_contain_text("the branch called: n t p ?")
    press("p")
    expect(page.get_by_role("radio", name="Approve")).to_be_focused()
    press("Space")
    _write(page, page.get_by_label("Why"), "someone else")
    _reach(page, page.get_by_role("button", name="Propose", exact=True))
    press("Enter")
    expect(page.get_by_role("status")).to_contain_text("waits for another person")
    press("q")
    expect(page.get_by_role("heading", name="Cases", level=1)).to_be_visible()
    press("n")
    expect(page.get_by_role("status")).to_have_text("No case waits for anybody.")
    press("/")
    page.keyboard.type("stojadivich")
    press("Enter")
    _reach(page, page.get_by_role("link", name=f"Ann Miller → {ALIKE}"))
    press("Enter")
    expect(page).to_have_url(re.compile(case_of(payment)))
    _reach(page, page.get_by_role("button", name="Sign out"))
    press("Enter")
    expect(page.get_by_role("heading", name="Sign in to the desk")).to_be_visible()
    assert desk.complaints == []
    desk.context.close()


def _reach(page: Page, wanted: Locator) -> None:
    """Go on from field to field until one has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(TABS_MAX):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} can't be reached with the keyboard")


def _write(page: Page, field: Locator, words: str) -> None:
    _reach(page, field)
    page.keyboard.type(words)


@pytest.mark.parametrize("username", ["analyst", "supervisor"])
def test_whoever_looks_for_a_report_sees_the_same_as_if_there_were_none(
    compliance: Runtime, address: str, browser: Browser, payment: PaymentInitiated, username: str
) -> None:
    case_id, customer_id = case_of(payment), payment.order.debtor_customer_id
    places = [
        "/desk",
        "/desk/search?q=ann+miller",
        f"/desk/search?q={case_id}",
        f"/desk/search?q={payment.payment_id}",
        f"/desk/cases/{case_id}",
        f"/desk/alike/{case_id}",
        f"/desk/customers/{customer_id}",
        f"/desk/silences?customer_id={customer_id}",
        "/desk/blocked",
        "/desk/whitelist",
        "/desk/overview",
        "/desk/audit",
        "/desk/filings",
        f"/desk/filings/new?case_id={case_id}",
        f"/desk/cases/{case_id}/export",
    ]
    with at_desk(browser, address, username) as person:
        before = {place: _seen(person, place) for place in places}
        filing_id = filing_on(compliance, case_id, approved=True)
        assert {place: _seen(person, place) for place in places} == before
        assert "Nothing is like that" in _seen(person, f"/desk/search?q={filing_id}")
        guessed = _seen(person, f"/desk/filings/{filing_id}").replace(filing_id, "")
        assert guessed == _seen(person, f"/desk/filings/{case_id}").replace(case_id, "")
        person.page.goto("/desk")
        expect(person.page.get_by_role("link", name="Filings")).to_have_count(0)


def _seen(person: Desk, place: str) -> str:
    """All that a page says to this person, but for how old things are and when it was made."""
    if place.endswith("/export"):
        text = person.context.request.get(place).text()
    else:
        person.page.goto(place)
        text = person.page.locator("body").inner_text()
    return re.sub(r"\d+ (d|h|min)\b|\d{2}:\d{2}(:\d{2})? UTC", "", text)
