"""Pages that follow what others do, cases taken out of the desk, and where those go who may not be somewhere."""

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from playwright.sync_api import Browser, expect
from pypdf import PdfReader

from libs.common.service import Runtime
from schemas.payments.events import PaymentInitiated
from services.compliance.desk.pdf import readable
from services.compliance.domain.acts import TakeCase
from services.compliance.domain.casework import AddNote
from services.compliance.domain.people import Role
from tests import in_the_clear
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots, at_desk
from tests.integration.compliance.gallery import busy_payment
from tests.integration.compliance.reports import filing_on
from tests.integration.compliance.scene import ALIKE, case_of, initiated, order, rows, suspended
from tests.integration.compliance.test_desk import signed_in

MOMENT = "00:11"
"""A little longer than a page waits before it looks again."""


@pytest.fixture
def payment(compliance: Runtime) -> PaymentInitiated:
    event = initiated(order("Ann Miller", ALIKE))
    decide(compliance, event, suspended(event))
    return event


def note(runtime: Runtime, payment: PaymentInitiated, words: str) -> None:
    decide(runtime, AddNote(case_id=case_of(payment), actor="carl", role=Role.ANALYST, version=1, note=words))


def opened(desk: Desk, path: str) -> None:
    desk.page.clock.install()
    with desk.page.expect_response("**/desk/api/pulse*"):
        desk.page.goto(path)


def moment_later(desk: Desk) -> None:
    with desk.page.expect_response("**/desk/api/pulse*"):
        desk.page.clock.fast_forward(MOMENT)


def test_what_another_does_with_a_case_is_told_and_nothing_is_decided_unseen(
    ann: Desk, compliance: Runtime, payment: PaymentInitiated
) -> None:
    opened(ann, f"/desk/cases/{case_of(payment)}")
    note(compliance, payment, "Asked the branch.")
    moment_later(ann)
    expect(ann.page.get_by_text("Something has changed here meanwhile.")).to_be_visible()
    expect(ann.page.get_by_text("Asked the branch.")).to_have_count(0)
    ann.page.get_by_role("button", name="Take this case").click()
    expect(ann.page.get_by_role("alert")).to_contain_text("the case has changed since you looked at it")
    ann.page.get_by_role("button", name="Take this case").click()
    expect(ann.page.get_by_role("status").first).to_have_text("The case is yours.")


def test_who_writes_when_their_session_ends_keeps_what_they_have_written(
    ann: Desk, compliance: Runtime, payment: PaymentInitiated
) -> None:
    opened(ann, f"/desk/cases/{case_of(payment)}")
    ann.page.get_by_label("Write a note").fill("I have just seen that")
    compliance.unit.administer(lambda tx: tx.exec_driver_sql("DELETE FROM desk_sessions"))
    moment_later(ann)
    expect(ann.page.get_by_text("Your session has ended.")).to_be_visible()
    expect(ann.page.get_by_label("Write a note")).to_have_value("I have just seen that")
    with ann.page.expect_popup() as elsewhere:
        ann.page.get_by_role("link", name="Sign in again").click()
    expect(elsewhere.value.get_by_label("Password")).to_be_visible()
    ann.page.get_by_label("Write a note").fill("")
    ann.page.get_by_label("Write a note").blur()
    ann.page.clock.fast_forward(MOMENT)
    expect(ann.page.get_by_label("Password")).to_be_visible()


def test_nobody_who_writes_loses_a_word_to_news(ann: Desk, compliance: Runtime, payment: PaymentInitiated) -> None:
    opened(ann, f"/desk/cases/{case_of(payment)}")
    ann.page.get_by_label("Write a note").fill("I have just seen that")
    note(compliance, payment, "Asked the branch.")
    moment_later(ann)
    expect(ann.page.get_by_text("Something has changed here meanwhile.")).to_be_visible()
    expect(ann.page.get_by_label("Write a note")).to_have_value("I have just seen that")
    ann.page.get_by_role("link", name="Show what is new").click()
    expect(ann.page.locator(".timeline").last).to_contain_text("Asked the branch.")


def test_the_queue_follows_what_comes_and_what_is_taken(
    ann: Desk, compliance: Runtime, payment: PaymentInitiated
) -> None:
    opened(ann, "/desk")
    other = initiated(order("Carla Nowak", ALIKE))
    decide(compliance, other, suspended(other))
    take = TakeCase(case_id=case_of(payment), actor="carl", role=Role.ANALYST, version=1)
    decide(compliance, take)
    moment_later(ann)
    expect(ann.page.get_by_role("link", name=f"Carla Nowak → {ALIKE}")).to_be_visible()
    expect(ann.page.get_by_role("row").filter(has_text="Ann Miller")).to_contain_text("carl")
    assert ann.complaints == []


def test_a_page_that_looks_by_itself_keeps_no_session_alive(
    compliance: Runtime, address: str, payment: PaymentInitiated
) -> None:
    with signed_in(address, "analyst") as analyst:

        def seen_at() -> datetime:
            ((found,),) = rows(compliance, "SELECT seen_at FROM desk_sessions WHERE username = 'analyst'")
            return found  # type: ignore[no-any-return]

        long_ago = datetime.now(UTC) - timedelta(minutes=10)
        compliance.unit.administer(lambda tx: tx.exec_driver_sql("UPDATE desk_sessions SET seen_at = %s", (long_ago,)))
        looks = rows(compliance, "SELECT count(*) FROM audit_entries")
        answer = analyst.http.get("/desk/api/pulse", headers={"X-Live": "1"})
        assert answer.status_code == 200
        assert seen_at() == long_ago
        assert rows(compliance, "SELECT count(*) FROM audit_entries") == looks
        analyst.http.get("/desk/api/session")
        assert seen_at() > long_ago


def test_a_case_is_taken_out_as_one_file_without_a_word_of_reports(
    compliance: Runtime, address: str, browser: Browser, payment: PaymentInitiated, tmp_path: Path, shots: Shots
) -> None:
    case_id = case_of(payment)
    note(compliance, payment, "<script>document.title='owned'</script> Asked the branch.")
    filing_on(compliance, case_id, approved=True)
    with signed_in(address, "officer") as officer, signed_in(address, "analyst") as analyst:
        assert analyst.http.get(f"/desk/cases/{case_id}/export").status_code == 403
        answer = officer.http.get(f"/desk/cases/{case_id}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="case-{case_id}.html"'
    assert "sandbox" in answer.headers["content-security-policy"]
    text = answer.text
    for word in ("filing", "Filing", "SAR", "report is due", "src=", "<link"):
        assert word not in text.split("</style>")[1], word
    for word in (ALIKE, "F-007", "Asked the branch.", "Suspicious", case_id):
        assert word in text
    (tmp_path / "case.html").write_text(text)
    page = browser.new_context(offline=True).new_page()
    page.goto((tmp_path / "case.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Ann Miller → {ALIKE}")
    assert "owned" not in page.title()
    shots.take(page, "export")
    looked = "SELECT actor FROM audit_entries WHERE object_kind = 'export' AND object_id = %s AND verb = 'looked'"
    assert rows(compliance, looked, case_id) == [("officer",)]


def test_a_case_is_printed_with_all_that_the_page_of_it_says_and_audited_like_it(
    compliance: Runtime, address: str
) -> None:
    event = busy_payment(compliance)
    case_id = case_of(event)
    note(compliance, event, "#panic() $x$ <script>document.title='owned'</script> Asked 白玉霖.")
    filing_on(compliance, case_id, approved=True)
    path = f"/desk/cases/{case_id}/export"
    with signed_in(address, "officer") as officer, signed_in(address, "analyst") as analyst:
        assert analyst.http.get(path, params={"format": "pdf"}).status_code == 403
        assert officer.http.get(path, params={"format": "docx"}).status_code == 400
        html, printed = officer.http.get(path), officer.http.get(path, params={"format": "pdf"})
    assert printed.headers["content-type"] == "application/pdf"
    assert printed.headers["content-disposition"] == f'attachment; filename="case-{case_id}.pdf"'
    found = squeezed(*(page.extract_text() for page in PdfReader(io.BytesIO(printed.content)).pages))
    said = etree.HTML(html.text).xpath("//h1|//h3|//dt|//dd|//th|//td|//ul[@class='reasons']/li|//*[@class='note']")
    texts = ["".join(one.itertext()) for one in said]
    assert len(texts) > 100
    assert [text for text in texts if squeezed(readable(text)) not in found] == []
    for word in ("filing", "Filing", "SAR", "reportisdue"):
        assert word not in found, word
    looked = "SELECT actor, details FROM audit_entries WHERE object_kind = 'export' AND verb = 'looked' ORDER BY number"
    assert rows(compliance, looked) == [("officer", f"format={one}" if one else "") for one in ("docx", "", "pdf")]


def squeezed(*texts: str) -> str:
    """Text without what a page's width does to it."""
    return re.sub(r"[\s\u200b]+", "", "".join(texts))


def test_who_may_not_be_somewhere_is_led_to_where_they_may(compliance: Runtime, address: str, browser: Browser) -> None:
    with at_desk(browser, address, "administrator") as desk:
        desk.page.goto("/desk")
        desk.page.get_by_role("link", name="To where your work is").click()
        expect(desk.page.get_by_role("heading", level=1)).to_have_text("People")
    assert in_the_clear.get(f"{address}/desk/api/pulse").status_code == 401
