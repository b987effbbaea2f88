"""What a report begins with: what alerts, customers and payments tell; and nothing that was written is lost."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.record import replace
from schemas.accounts.events import AccountOpened, CustomerKind
from schemas.payments.events import Institution, InternalReason, Party, PartyKind, PaymentEvidence, PaymentPersonalData
from services.compliance.desk.filing_forms import PLACES_MAX, persons_of, places, read_ctr, read_sar, shown
from services.compliance.domain.case import Case, CustomerFacts, PaymentFacts
from services.compliance.domain.work import Customer, CustomerStatus
from services.compliance.filings.ctr import CashParty
from services.compliance.filings.drafts import SUSPECTED, Known, continue_sar, draft_ctr, draft_sar
from services.compliance.filings.filing import Filing, FilingStatus
from services.compliance.filings.sar import Suspicion, SuspiciousKind
from services.compliance.matching.screening import CLEAR
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.alerts import Alert, AlertMovement, AlertState
from services.compliance.monitoring.history import EMPTY, Entry, add
from services.compliance.monitoring.movements import micros_of
from services.compliance.monitoring.parameters import Scenario
from tests.unit.compliance.office import ACCOUNT, CREDITOR_ACCOUNT, CUSTOMER, Office, order, registered
from tests.unit.compliance.test_filings import ANN, COMPANY, CTR, SAR

OPENED_AT = datetime(2026, 10, 12, 15, tzinfo=UTC)
TODAY = date(2026, 10, 20)
CASH_ACCOUNT = ids.named("cash account")


def alert(scenario: Scenario, day: int, *payments: str, **values: int | str) -> Alert:
    at = datetime(2026, 10, day, 14, tzinfo=UTC)
    return Alert(
        alert_id=ids.named(f"{scenario} {day} {payments}"),
        scenario=scenario,
        customer_id=CUSTOMER,
        payment_ids=tuple(map(ids.named, payments)),
        reason=f"{scenario.value} on the {day}th",
        values=values,
        parameters_version="1",
        occurred_at=at,
        raised_at=at,
        state=AlertState.OPEN,
    )


def cash_alert(day: int, cents: int, *payments: str, direction: str = "in") -> Alert:
    on = date(2026, 10, day).isoformat()
    return alert(Scenario.CASH_REPORT, day, *payments, total_cents=cents, business_day=on, direction=direction)


def customer(kind: CustomerKind = CustomerKind.COMPANY, name: str = "Acme Trading LLC") -> Customer:
    return Customer(
        customer_id=CUSTOMER,
        kind=kind,
        subject=Subject(name=name, country="US"),
        status=CustomerStatus.VERIFIED,
        verdict=CLEAR,
        catalogue_version=1,
        matcher_version=1,
        account_ids=(ACCOUNT, CASH_ACCOUNT),
    )


def known(*alerts: Alert, of: Customer | None = None, **change: Any) -> Known:
    about = of or customer()
    case = Case(
        case_id=ids.named("case"),
        partition_key=CUSTOMER,
        customer_id=CUSTOMER,
        customer=CustomerFacts(kind=about.kind, subject=about.subject, verdict=CLEAR, reasons=()),
        alerts=tuple(one.in_case for one in alerts),
        opened_at=OPENED_AT,
    )
    return Known(**{"case": case, "customers": {CUSTOMER: about}, "alerts": alerts, "today": TODAY, **change})


def paid(**change: Any) -> Known:
    """A payment waits for people."""
    facts = PaymentFacts(
        order=replace(order(), **change), reasons=(InternalReason.COMPLIANCE_REVIEW,), evidence=PaymentEvidence()
    )
    case = Case(case_id=ids.named("case"), partition_key="1", payment_id=ids.new(), payment=facts, opened_at=OPENED_AT)
    return Known(case=case, today=TODAY)


def test_a_company_is_named_whole_with_its_accounts_and_as_a_customer() -> None:
    (subject,) = draft_sar(known(alert(Scenario.FAN_IN, 9, "1", total_cents=1_00))).subjects
    assert (subject.last_name, subject.first_name, subject.is_entity) == ("Acme Trading LLC", None, True)
    assert (subject.accounts, subject.is_customer) == ((ACCOUNT, CASH_ACCOUNT), True)
    assert subject.address.country == "US"


@pytest.mark.parametrize("name", ["Ann Mary Miller", "Miller, Ann Mary"])
def test_a_person_has_a_first_and_a_last_name(name: str) -> None:
    (subject,) = draft_sar(known(of=customer(CustomerKind.PERSON, name))).subjects
    assert (subject.last_name, subject.first_name, subject.is_entity) == ("Miller", "Ann Mary", False)


def test_accounts_are_those_that_the_money_moved_through_where_that_is_known() -> None:
    found = alert(Scenario.FAN_IN, 9, "1", total_cents=1_00)
    moved = replace(order(), creditor_customer_id=CUSTOMER, debtor_customer_id=ids.new())
    (subject,) = draft_sar(known(found, orders={ids.named("1"): moved})).subjects
    assert subject.accounts == (CREDITOR_ACCOUNT,)


def test_a_customers_accounts_are_learnt_as_they_are_opened() -> None:
    office = Office()
    office.decide(registered())
    for account_id in (ACCOUNT, CREDITOR_ACCOUNT, ACCOUNT):
        office.decide(AccountOpened(account_id=account_id, customer_id=CUSTOMER, currency="USD", opened_at=OPENED_AT))
    assert office.customers[CUSTOMER].account_ids == (ACCOUNT, CREDITOR_ACCOUNT)


def test_alerts_say_what_is_suspected_when_and_how_much() -> None:
    history = EMPTY
    for day, name in ((7, "1"), (8, "2"), (9, "3")):
        history = add(
            history,
            Entry(
                at_micros=micros_of(datetime(2026, 10, day, 14, tzinfo=UTC)),
                cents=9_500_00,
                counterpart=1,
                is_out=False,
                is_cash=True,
                zeros=0,
                payment_id=ids.named(name),
            ),
        )
    report = draft_sar(
        known(
            alert(Scenario.STRUCTURING, 9, "1", "2", "3", total_cents=28_500_01, count=3),
            alert(Scenario.FAN_IN, 9, "2", "3", total_cents=19_000_00, counterparts=5),
            alert(Scenario.CYCLE, 12, "4", first_cents=1_000_00, last_cents=990_00, hops=3),
            cash_alert(9, 28_500_01, "1", "2", "3"),
            history=history,
        )
    )
    kinds = [suspicion.kind for suspicion in report.suspicions]
    assert kinds == [
        SuspiciousKind.BELOW_CTR_THRESHOLD, SuspiciousKind.FUNNEL_ACCOUNT, SuspiciousKind.NO_APPARENT_PURPOSE,
    ]  # fmt: skip
    assert (report.began_on, report.ended_on) == (date(2026, 10, 7), date(2026, 10, 12))
    assert report.dollars == 29_501, "payments that two alerts are about count once, and a cent is a dollar begun"
    assert report.narrative.splitlines()[-1] == "2026-10-12: cycle on the 12th."


def test_each_scenario_but_that_of_cash_is_some_suspicion() -> None:
    assert SUSPECTED.keys() == set(Scenario) - {Scenario.CASH_REPORT}


def test_a_narrative_leaves_room_however_many_alerts_there_are() -> None:
    many = [replace(alert(Scenario.FAN_IN, 9, str(n), total_cents=1), reason="x" * 900) for n in range(30)]
    report = draft_sar(known(*many))
    assert len(report.narrative) < 10_000 and report.narrative.endswith("more alerts.")


def test_a_payee_with_another_institution_is_no_customer_and_is_known_by_the_number_there() -> None:
    personal = PaymentPersonalData(
        debtor=Party(name="Ann Miller"),
        creditor=Party(name="Mules Ltd", kind=PartyKind.COMPANY, account_number="AT61 1904", address="Ring 1, Graz"),
    )
    debtor, creditor = draft_sar(paid(personal=personal, creditor_institution=Institution(country="AT"))).subjects
    assert (debtor.accounts, debtor.is_customer) == ((ACCOUNT,), True)
    assert (creditor.accounts, creditor.is_customer, creditor.is_entity) == (("AT61 1904",), False, True)
    assert (creditor.last_name, creditor.address.street) == ("Mules Ltd", "Ring 1, Graz")


def test_a_payments_dollars_are_known_and_other_currencies_are_not_made_up() -> None:
    assert draft_sar(paid(currency="USD", amount_minor=1_234_01)).dollars == 1_235
    assert draft_sar(paid(currency="EUR")).dollars is None


def test_days_are_those_where_reports_are_due() -> None:
    late = datetime(2026, 10, 13, 3, tzinfo=UTC)
    report = draft_sar(paid(instructed_at=late))
    assert (report.began_on, report.ended_on) == (date(2026, 10, 12), date(2026, 10, 12))
    assert draft_ctr(paid(instructed_at=datetime(2026, 10, 10, 15, tzinfo=UTC))).transacted_on == date(2026, 10, 13)


def test_cash_is_that_of_the_first_day_that_nobody_reported() -> None:
    alerts = (cash_alert(6, 12_000_00, "1", "2"), cash_alert(8, 15_000_01, "3"))
    first = draft_ctr(known(*alerts))
    assert (first.transacted_on, first.cash_in_dollars, first.is_aggregated) == (date(2026, 10, 6), 12_000, True)
    second = draft_ctr(known(*alerts, reported_days=frozenset({date(2026, 10, 6)})))
    assert (second.transacted_on, second.cash_in_dollars, second.is_aggregated) == (date(2026, 10, 8), 15_001, False)
    (party,) = second.parties
    assert (party.cash_in_dollars, party.person.last_name) == (15_001, "Acme Trading LLC")


def test_cash_of_the_other_way_and_what_came_after_the_alert_are_counted() -> None:
    history = EMPTY
    for hour, cents, is_out in ((13, 12_000_00, False), (15, 500_00, False), (16, 200_00, True)):
        history = add(
            history,
            Entry(
                at_micros=micros_of(datetime(2026, 10, 6, hour, tzinfo=UTC)),
                cents=cents,
                counterpart=1,
                is_out=is_out,
                is_cash=True,
                zeros=0,
                payment_id=ids.named(str(hour)),
            ),
        )
    report = draft_ctr(known(cash_alert(6, 12_000_00, "13"), history=history))
    assert (report.cash_in_dollars, report.cash_out_dollars) == (12_500, 200)


def test_of_alerts_that_share_payments_each_adds_what_the_others_have_not_counted() -> None:
    def fan_in(day: int, *payments: str) -> Alert:
        found = alert(Scenario.FAN_IN, day, *payments, total_cents=len(payments) * 1_000_00)
        movements = [AlertMovement(payment_id=ids.named(one), at=found.occurred_at, cents=1_000_00) for one in payments]
        return replace(found, movements=tuple(movements))

    report = draft_sar(known(fan_in(6, "1", "2", "3"), fan_in(7, "2", "3", "4"), fan_in(8, "4", "5")))
    assert report.dollars == 5_000


def test_what_goes_on_begins_with_what_was_reported() -> None:
    before = replace(SAR, began_on=date(2026, 7, 1), ended_on=date(2026, 7, 9), dollars=28_500)
    filed = Filing(
        filing_id=ids.new(),
        case_id=ids.named("case"),
        status=FilingStatus.FILED,
        sar=before,
        detected_on=date(2026, 7, 10),
        due_on=date(2026, 8, 9),
        written_by="olga",
        drafted_at=OPENED_AT,
        document_number="31000123456789",
        filed_on=date(2026, 7, 12),
    )
    news = alert(Scenario.FAN_IN, 9, "1", total_cents=1_000_00)
    old = replace(alert(Scenario.CYCLE, 1, "2", first_cents=5_00), occurred_at=OPENED_AT - timedelta(days=100))
    report = continue_sar(known(news, old), filed)
    assert (report.prior_document_number, report.prior_filed_on) == (31000123456789, date(2026, 7, 12))
    assert (report.began_on, report.ended_on) == (date(2026, 7, 10), date(2026, 10, 9))
    assert (report.dollars, report.cumulative_dollars) == (1_000, 29_500)
    assert report.subjects == before.subjects
    assert report.suspicions == (*before.suspicions, Suspicion(kind=SuspiciousKind.FUNNEL_ACCOUNT))
    quiet = continue_sar(known(), replace(filed, sar=replace(before, cumulative_dollars=60_000)))
    assert (quiet.dollars, quiet.cumulative_dollars, quiet.ended_on) == (None, 60_000, TODAY)


def test_nobody_is_lost_when_a_report_is_written_anew() -> None:
    """Nor what the form has no field for, as long as it is the same person."""
    report = replace(SAR, subjects=(ANN, COMPANY, *(replace(COMPANY, last_name=f"Mule {n}") for n in range(10))))
    form = shown(report, TODAY)
    assert places(len(report.subjects)) > len(report.subjects)
    assert read_sar(form, persons_of(report)).subjects == report.subjects
    other = read_sar({**form, "subjects.0.last_name": "Miller"}, persons_of(report)).subjects[0]
    assert (other.last_name, other.documents, other.aliases) == ("Miller", (), ()), "that is somebody else"
    cash = replace(CTR, parties=tuple(CashParty(person=one, cash_in_dollars=9) for one in report.subjects))
    assert read_ctr(shown(cash, TODAY), persons_of(cash)).parties == cash.parties


def test_the_form_has_room_for_no_more_than_its_places() -> None:
    assert (places(0), places(PLACES_MAX), places(PLACES_MAX + 5)) == (3, PLACES_MAX, PLACES_MAX)
