"""The desk in a real browser: an analyst sees why, proposes, and another confirms."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.payments.events import Finding, InternalReason, PaymentBlocked, PaymentEvidence, PaymentInitiated
from services.compliance.domain.cases import payment_case_id
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots
from tests.integration.compliance.scene import (
    ALIKE,
    LISTED,
    NOW,
    add_people,
    case_of,
    initiated,
    order,
    registered,
    suspended,
)

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> O'Brien"
FINDINGS = (
    Finding(source="new_device", score=0.4, reason="first payment from this device"),
    Finding(source="amount_high", score=0.35, reason="seven times the usual amount"),
)


@pytest.fixture
def payment(compliance: Runtime) -> PaymentInitiated:
    event = initiated(order("Ann Miller", ALIKE, creditor_born="1957-09-09", country="RS", reference="Invoice 7731"))
    decide(compliance, event, suspended(event, findings=FINDINGS))
    return event


def test_a_wrong_password_leads_nowhere_and_a_right_one_where_one_was_going(
    compliance: Runtime, address: str, browser: Browser, payment: PaymentInitiated
) -> None:
    desk = Desk(browser, address, "analyst1")
    desk.open(case_of(payment))
    expect(desk.page).to_have_url(f"{address}/desk/sign-in?next=/desk/cases/{case_of(payment)}")
    desk.sign_in("wrong")
    expect(desk.page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    desk.sign_in()
    expect(desk.page).to_have_url(f"{address}/desk/cases/{case_of(payment)}")
    desk.page.get_by_role("button", name="Sign out").click()
    desk.open(case_of(payment))
    expect(desk.page.get_by_role("heading", name="Sign in to the desk")).to_be_visible()
    desk.context.close()


def test_a_case_whose_person_is_away_is_taken_over(
    ann: Desk, ben: Desk, payment: PaymentInitiated, shots: Shots
) -> None:
    ann.open(case_of(payment))
    ann.page.get_by_role("button", name="Take this case").click()
    ben.open(case_of(payment))
    expect(ben.page.get_by_text("analyst1 works on this case.")).to_be_visible()
    ben.page.get_by_text("Take it over").click()
    ben.page.get_by_label("Why").fill("Ann is ill.")
    shots.take(ben.page, "case-take-over")
    ben.page.get_by_role("button", name="Take over from analyst1").click()
    expect(ben.page.get_by_role("status")).to_have_text("The case is yours now.")
    newest = ben.page.locator(".acts li").first
    expect(newest).to_contain_text("Taken over from analyst1")
    expect(newest).to_contain_text("Ann is ill.")
    expect(ben.page.get_by_role("button", name="Propose")).to_be_visible()
    assert (ann.complaints, ben.complaints) == ([], [])


def test_ones_own_confirmation_is_refused_even_if_the_form_is_made_up(ann: Desk, payment: PaymentInitiated) -> None:
    page = ann.page
    ann.open(case_of(payment))
    page.get_by_role("button", name="Take this case").click()
    page.get_by_role("radio", name="Approve").check()
    page.get_by_label("Why").fill("fine")
    page.get_by_role("button", name="Propose").click()
    page.evaluate(
        """case_id => {
             const form = document.createElement("form");
             form.method = "post"; form.action = `/desk/cases/${case_id}/confirm`;
             const token = document.querySelector("[name=csrf_token]").value;
             for (const [name, value] of [["csrf_token", token], ["version", "3"]]) {
               const input = document.createElement("input");
               input.name = name; input.value = value; form.append(input);
             }
             document.body.append(form); form.submit();
           }""",
        case_of(payment),
    )
    expect(page.get_by_role("alert")).to_contain_text("another person must confirm")


def test_what_was_written_is_kept_when_someone_was_faster(
    ann: Desk, compliance: Runtime, payment: PaymentInitiated
) -> None:
    page = ann.page
    ann.open(case_of(payment))
    page.get_by_role("button", name="Take this case").click()
    page.get_by_role("radio", name="Approve").check()
    page.get_by_label("Why").fill("A long explanation that nobody wants to write twice.")
    decide(compliance, suspended(payment, "clear"))
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("alert")).to_contain_text("the case has changed since you looked at it")
    expect(page.get_by_label("Why")).to_have_value("A long explanation that nobody wants to write twice.")
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("status")).to_contain_text("waits for another person")


def test_a_hostile_name_is_shown_as_text_and_does_nothing(ann: Desk, compliance: Runtime, shots: Shots) -> None:
    event = initiated(order(HOSTILE, f"{ALIKE}\u202e", reference="<b>bold</b>"))
    decide(compliance, event, suspended(event, findings=[Finding(source="<i>", score=0.5, reason="<u>odd</u>")]))
    ann.page.goto("/desk")
    expect(ann.page.get_by_role("link", name="O'Brien")).to_contain_text("<script>")
    ann.open(case_of(event))
    expect(ann.page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    expect(ann.page.get_by_text("<b>bold</b>")).to_be_visible()
    assert "owned" not in ann.page.title()
    assert ann.page.locator("img[src=x]").count() == 0
    assert ann.complaints == []
    shots.take(ann.page, "case-hostile")


def test_a_listed_partys_case_offers_no_approval(ann: Desk, compliance: Runtime, shots: Shots) -> None:
    event = initiated(order("Ann Miller", LISTED, creditor_born="1974-11-02", country="IQ"))
    decide(compliance, event, suspended(event, "block"))
    ann.open(case_of(event))
    ann.page.get_by_role("button", name="Take this case").click()
    expect(ann.page.get_by_role("radio", name="Approve")).to_be_disabled()
    expect(ann.page.get_by_text("it may not be approved")).to_be_visible()
    expect(ann.page.get_by_role("radio", name="Reject")).to_have_accessible_name(
        "Reject refuse it; the money is blocked all the same"
    )
    shots.take(ann.page, "case-listed")


def test_who_is_listed_since_the_payment_waits_is_shown_and_can_only_be_blocked(
    ann: Desk, compliance: Runtime, shots: Shots
) -> None:
    answered = initiated(order("Ann Miller", "Ben Baker"))
    # As if the payee had been on no list when the answer was given.
    waiting = initiated(order("Ann Miller", LISTED, creditor_born="1974-11-02"), answered.payment_id)
    decide(compliance, answered, suspended(waiting, "clear"))
    ann.open(case_of(waiting))
    ann.page.get_by_role("button", name="Take this case").click()
    # The payment, and that looking back at what has settled has nothing to do.
    assert compliance.sweep.run_once() == 2
    ann.page.reload()
    payee = ann.page.get_by_role("region", name=f"Payee {LISTED}")
    expect(payee).to_contain_text("date of birth the same: 1974-11-02")
    expect(ann.page.locator(".acts li").first).to_contain_text("Evidence changed")
    expect(ann.page.locator(".acts li").first).to_contain_text("A list has changed")
    for decision in ("Approve", "Reject"):
        expect(ann.page.get_by_role("radio", name=decision)).to_be_disabled()
    expect(ann.page.get_by_text("it may only be blocked")).to_be_visible()
    expect(ann.page.get_by_role("radio", name="Block")).to_be_enabled()
    shots.take(ann.page, "case-newly-listed")
    assert ann.complaints == []


def test_what_nobody_has_looked_at_yet_is_not_shown_as_harmless(ann: Desk, compliance: Runtime) -> None:
    late = suspended(initiated(order("Ann Miller", LISTED)))
    decide(compliance, replace(late, reasons=(InternalReason.ANSWER_MISSING,), evidence=PaymentEvidence()))
    ann.open(payment_case_id(late.payment_id))
    expect(ann.page.get_by_text("Not compared with any list yet.")).to_have_count(2)
    expect(ann.page.get_by_text("Resembles nobody listed.")).to_have_count(0)
    expect(ann.page.get_by_text("No rule has been applied yet.")).to_be_visible()
    expect(ann.page.locator(".acts")).to_contain_text("An answer is missing")


def test_who_writes_a_long_note_stays_signed_in(ann: Desk, payment: PaymentInitiated) -> None:
    ann.page.clock.install()
    ann.open(case_of(payment))
    ann.page.get_by_role("button", name="Take this case").click()
    ann.page.clock.fast_forward("05:00")
    with ann.page.expect_response("**/desk/api/session") as answer:
        ann.page.get_by_label("Why").press_sequentially("x")
    assert answer.value.status == 200
    assert ann.complaints == []


def test_blocked_property_names_the_listed_party_and_leads_to_the_case(ann: Desk, compliance: Runtime) -> None:
    event = initiated(order("Ann Miller", LISTED, creditor_born="1974-11-02", country="IQ"))
    blocked = PaymentBlocked(
        payment_id=event.payment_id, debtor_account_id=event.order.debtor_account_id, amount_minor=125_000,
        currency="EUR", transfer_id=ids.new(), blocked_at=NOW,
    )  # fmt: skip
    decide(compliance, event, suspended(event, "block"), blocked)
    ann.page.goto("/desk/blocked")
    row = ann.page.get_by_role("row", name=event.payment_id)
    expect(row).to_contain_text(LISTED)
    expect(row).to_contain_text("fictional F-002")
    expect(row).to_contain_text("FICTION-TERROR")
    row.get_by_role("link").click()
    expect(ann.page).to_have_url(re.compile(case_of(event)))


def test_a_customer_in_doubt_is_decided_at_the_desk_too(ann: Desk, ben: Desk, compliance: Runtime) -> None:
    decide(compliance, registered(ALIKE, birth_date="1999-01-01"))
    ann.page.goto("/desk")
    ann.page.get_by_role("link", name=ALIKE).click()
    expect(ann.page.get_by_role("region", name=f"Customer {ALIKE}")).to_contain_text("different: 1999-01-01")
    ann.page.get_by_role("button", name="Take this case").click()
    ann.page.get_by_role("radio", name="Approve").check()
    ann.page.get_by_label("Why").fill("Forty years younger.")
    ann.page.get_by_role("button", name="Propose").click()
    ben.page.goto(ann.page.url.partition("?")[0])
    ben.page.get_by_role("button", name="Confirm: approve").click()
    expect(ben.page.get_by_role("status")).to_have_text("The decision stands.")
    ben.page.goto("/desk?queue=closed")
    expect(ben.page.get_by_role("row", name=ALIKE)).to_contain_text("Approve")


def test_a_case_is_put_off_passed_up_and_looked_at_again(
    ann: Desk, ben: Desk, payment: PaymentInitiated, shots: Shots
) -> None:
    page = ann.page
    ann.open(case_of(payment))
    page.get_by_role("button", name="Take this case").click()
    page.get_by_text("Add a task").click()
    page.get_by_label("What is to be done").fill("Ask the branch for papers")
    page.get_by_role("button", name="Add task").click()
    page.get_by_text("Put it off").click()
    page.get_by_label("Until (UTC)").fill((NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("What it waits for").fill("papers")
    shots.take(page, "case-snooze")
    page.get_by_role("button", name="Put off").click()
    expect(page.get_by_role("status")).to_have_text("The case comes back by itself.")
    page.goto("/desk?queue=snoozed")
    expect(page.get_by_role("row", name=ALIKE)).to_contain_text("back ")
    ann.open(case_of(payment))
    page.get_by_role("button", name="Done: Ask the branch for papers").click()
    expect(page.locator(".tasks .done")).to_contain_text("analyst1")
    page.get_by_text("Pass it up").click()
    page.get_by_label("Reason").fill("a minister")
    page.get_by_role("button", name="Pass up").click()
    expect(page.get_by_text("Passed up to officer", exact=True)).to_be_visible()
    ben.open(case_of(payment))
    ben.page.get_by_role("button", name="Take this case").click()
    expect(ben.page.get_by_role("alert")).to_contain_text("people of a higher role")
    ben.page.get_by_text("Assign it").click()
    ben.page.get_by_label("To", exact=True).select_option("officer")
    ben.page.get_by_role("button", name="Assign").click()
    expect(ben.page.get_by_text("officer works on this case.")).to_be_visible()
    assert (ann.complaints, ben.complaints) == (
        [],
        ["Failed to load resource: the server responded with a status of 409 (Conflict)"],
    )


def test_cases_that_are_alike_are_proposed_and_confirmed_together(
    ann: Desk, ben: Desk, compliance: Runtime, shots: Shots
) -> None:
    hits = (Finding(source="fictional/F-007", score=0.9, reason="creditor resembles STOJADIVIC"),)
    events = [initiated(order(f"Payer {name}", ALIKE)) for name in ("Abel", "Bela", "Carl")]
    told = [suspended(event) for event in events]
    decide(compliance, *events)
    decide(compliance, *(replace(one, evidence=replace(one.evidence, compliance_hits=hits)) for one in told))
    page = ann.page
    ann.open(case_of(events[0]))
    page.get_by_role("link", name="2 cases like this one").click()
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("radio", name="Approve").check()
    page.get_by_label("Why").fill("The same namesake, cleared before.")
    shots.take(page, "alike")
    page.get_by_role("button", name="Propose for those ticked").click()
    expect(page.get_by_role("status")).to_contain_text("waits for another person")
    page.goto(f"/desk/alike/{case_of(events[0])}")
    expect(page.get_by_role("heading", name="Nothing to do together")).to_be_visible()
    ben.page.goto(f"/desk/alike/{case_of(events[0])}")
    for box in ben.page.get_by_role("checkbox").all():
        box.check()
    ben.page.get_by_role("button", name="Confirm those ticked").click()
    expect(ben.page.get_by_role("status")).to_have_text("The decision stands.")
    ben.page.goto("/desk?queue=closed")
    expect(ben.page.get_by_role("row", name="Payer")).to_have_count(3)
    assert (ann.complaints, ben.complaints) == ([], [])


def test_administrators_let_people_in_and_auditors_see_what_everybody_did(
    compliance: Runtime, address: str, browser: Browser, shots: Shots
) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        viewport = {"width": width, "height": 720}
        administrator = Desk(browser, address, "administrator", color_scheme=scheme, viewport=viewport)
        administrator.sign_in()
        page = administrator.page
        expect(page.get_by_role("heading", name="People")).to_be_visible()
        expect(page.get_by_role("link", name="Cases")).to_have_count(0)
        page.get_by_label("User name").fill(f"greta.{scheme}")
        page.get_by_label("Role", exact=True).select_option("auditor")
        page.get_by_role("button", name="Let in", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(
            f"greta.{scheme} may sign in. The password, shown this once:"
        )
        shots.take(page, f"users-{scheme}")
        password = page.get_by_role("status").locator("code").inner_text()
        greta = Desk(browser, address, f"greta.{scheme}", color_scheme=scheme, viewport=viewport)
        greta.sign_in(password)
        expect(greta.page.get_by_role("button", name="Next case")).to_have_count(0)
        greta.page.goto("/desk/audit")
        expect(greta.page.get_by_role("row", name="user added").first).to_contain_text("administrator")
        shots.take(greta.page, f"audit-{scheme}")
        for desk in (administrator, greta):
            for path in ("/desk/users", "/desk/audit"):
                desk.page.goto(path)
                assert desk.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
            desk.context.close()
    add_people(compliance)


def test_every_field_and_picture_has_a_name_for_those_who_hear_the_page(ann: Desk, payment: PaymentInitiated) -> None:
    ann.open(case_of(payment))
    ann.page.get_by_role("button", name="Take this case").click()
    for path in (ann.page.url, "/desk", "/desk/blocked", "/desk/search?q=ann"):
        ann.page.goto(path)
        unnamed = ann.page.evaluate(
            """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, img, button, a, nav")]
                 .filter(found => !(found.labels?.length || found.textContent.trim() || found.hasAttribute("alt")
                                    || found.ariaLabel))
                 .map(found => found.outerHTML)"""
        )
        assert unnamed == []
        assert ann.page.locator("h1").count() == 1
        assert ann.page.locator("html[lang=en]").count() == 1
