"""The manager's page on real parts: what waits, what was decided in time, false alarms; reports for who may know."""

from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Browser, expect

from libs.common import ids
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from schemas.payments.events import InternalReason, PaymentEvidence, PaymentRefusalExplained
from services.compliance import overview_queries
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.people import Role
from services.compliance.overview_queries import Age
from tests.deciding import decide
from tests.integration.compliance.browsing import Shots, at_desk
from tests.integration.compliance.reports import filing_on
from tests.integration.compliance.scene import ALIKE, case_of, initiated, order, rows, suspended
from tests.integration.compliance.test_desk import signed_in
from tests.integration.compliance.test_monitoring import settled

NOW = datetime.now(UTC)


def waiting(runtime: Runtime, days: float) -> str:
    event, at = initiated(order(creditor=ALIKE)), NOW - timedelta(days=days)
    decide(runtime, event, suspended(event, at=at), at=at)
    return case_of(event)


def decided(runtime: Runtime, case_id: str, decision: CaseDecision, *, after: timedelta) -> None:
    ((opened_at, version),) = rows(
        runtime, "SELECT opened_at, (body::json ->> 'version')::int FROM cases WHERE case_id = %s", case_id
    )
    about: dict[str, Any] = {"case_id": case_id, "role": Role.SUPERVISOR}
    decide(
        runtime,
        TakeCase(**about, actor="ann", version=version),
        ProposeDecision(**about, actor="ann", version=version + 1, decision=decision, note="seen"),
        ConfirmDecision(**about, actor="ben", version=version + 2, note=""),
        at=opened_at + after,
    )


def scene(runtime: Runtime) -> str:
    """Three that wait, three that were decided, of which one too late; one case of alerts that was reported."""
    for days in (0.1, 2, 12):
        waiting(runtime, days)
    for decision, days in ((CaseDecision.APPROVE, 1), (CaseDecision.APPROVE, 2), (CaseDecision.REJECT, 14)):
        decided(runtime, waiting(runtime, 20), decision, after=timedelta(days=days))
    customer_id = ids.new()
    decide(runtime, settled(12_000, debtor=ids.new(), creditor=customer_id, is_cash=True))
    ((case_id,),) = rows(runtime, "SELECT case_id FROM cases WHERE customer_id = %s", customer_id)
    decided(runtime, case_id, CaseDecision.REJECT, after=timedelta(minutes=5))
    return str(case_id)


def test_what_waits_what_was_in_time_and_what_came_of_it(compliance: Runtime) -> None:
    scene(compliance)
    # The till's side of the movement is no person's cash of its own: one more case waits for it.
    found = overview_queries.find_overview(compliance.engine, NOW)
    counts = {backlog.age: backlog.count for backlog in found.backlog}
    assert (counts[Age.THREE_DAYS], counts[Age.MONTH], counts[Age.WEEK], counts[Age.LONGER]) == (1, 1, 0, 0)
    assert sum(backlog.overdue for backlog in found.backlog) == 1
    (speed,) = (one for one in found.speeds if one.decided >= 3)
    assert (speed.priority, speed.decided, speed.in_time) == (2, 4, 3)
    assert speed.slow is not None and speed.slow > timedelta(days=9)
    assert (speed.undecided, speed.overdue, speed.in_time_percent) == (0, 1, 60), "what waits too long is not in time"
    shares = {share.reason: (share.decided, share.approved) for share in found.reasons}
    assert shares["compliance_review"] == (3, 2)
    assert shares["cash_report"] == (1, 0)


def test_reviews_that_ran_out_are_the_worst_of_what_was_not_in_time(compliance: Runtime) -> None:
    def closed(reason: InternalReason, after: timedelta) -> None:
        event, at = initiated(order(creditor=ALIKE)), NOW - timedelta(days=20)
        decide(compliance, event, suspended(event, at=at), at=at)
        ended = PaymentRefusalExplained(
            payment_id=event.payment_id,
            debtor_account_id=event.order.debtor_account_id,
            reason=reason,
            evidence=PaymentEvidence(),
            explained_at=at + after,
        )
        decide(compliance, ended, at=at + after)

    closed(InternalReason.REVIEW_TIMED_OUT, timedelta(days=5, seconds=1))
    closed(InternalReason.REVIEW_TIMED_OUT, timedelta(days=5, seconds=-1))  # by a clock that is behind
    closed(InternalReason.FUNDS_DECLINED, timedelta(days=1))  # nobody's fault
    decided(compliance, waiting(compliance, 20), CaseDecision.APPROVE, after=timedelta(days=1))
    (speed,) = overview_queries.find_overview(compliance.engine, NOW).speeds
    assert (speed.decided, speed.in_time, speed.undecided, speed.in_time_percent) == (1, 1, 2, 33)


def test_what_was_reported_is_told_to_those_alone_who_may_know(compliance: Runtime, address: str) -> None:
    case_id = scene(compliance)
    filing_id = filing_on(compliance, case_id, approved=True)
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql(
            "UPDATE filings SET status = 'filed', body = jsonb_set(body::jsonb, '{filed_on}', %s::jsonb)::text"
            " WHERE filing_id = %s",
            (f'"{(NOW + timedelta(days=3)).date()}"', filing_id),
        )
    )
    answers = {}
    for role in (Role.SUPERVISOR, Role.OFFICER, Role.AUDITOR):
        with signed_in(address, role.value) as person:
            answers[role] = person.http.get("/desk/api/overview").json().get("reporting")
            page = person.http.get("/desk/overview").text
            assert ("From alert to report" in page) is (role is not Role.SUPERVISOR)
    assert answers[Role.SUPERVISOR] is None
    assert answers[Role.OFFICER] == answers[Role.AUDITOR]
    assert (answers[Role.OFFICER]["decided"], answers[Role.OFFICER]["reported"]) == (1, 1)
    assert answers[Role.OFFICER]["median_days"] in (2, 3, 4)


def test_the_page_in_a_browser_wide_and_narrow_light_and_dark(
    compliance: Runtime, address: str, browser: Browser, shots: Shots
) -> None:
    with at_desk(browser, address, "officer") as desk:
        desk.page.goto("/desk/overview")
        expect(desk.page.get_by_text("Nothing has been decided yet.").first).to_be_visible()
        scene(compliance)
        desk.page.reload()
        expect(desk.page.get_by_role("region", name="Decided in time")).to_contain_text("60 %")
        shots.take(desk.page, "overview")
        assert desk.complaints == []
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with at_desk(browser, address, "supervisor", **phone) as desk:
        desk.page.goto("/desk/overview")
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390
        shots.take(desk.page, "overview-phone")
