"""Alerts: raised once by what has settled, joined into one case a customer, held back by what people say."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import ids
from libs.common.metrics import Metrics
from libs.common.record import replace
from schemas.compliance.events import CaseConcern, CaseDecision, CaseOpened, CaseResolved
from schemas.payments.events import PaymentSettled
from services.compliance import metrics
from services.compliance.desk import views
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.alerting import LookForCycle, WakeAlerts
from services.compliance.domain.alike import ConfirmAlike, ProposeAlike, SeenCase, likeness_of
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.casework import ReopenCase
from services.compliance.domain.customers import customer_case_id
from services.compliance.domain.meanings import choices, word_of
from services.compliance.domain.people import Role
from services.compliance.domain.rule_change import ChangeStatus
from services.compliance.domain.silencing import (
    ConfirmParameters,
    DecideChange,
    EndSilence,
    SetParameters,
    SilenceScenario,
    TurnDownParameters,
)
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import Alert, AlertState, SilenceKind
from services.compliance.monitoring.history import counterpart_of
from services.compliance.monitoring.parameters import Scenario
from tests.unit.compliance.office import ACCOUNT, CREDITOR_ACCOUNT, CUSTOMER, HEADER, START, Office, registered

OTHER, THIRD = ids.named("other"), ids.named("third")
DAY = timedelta(days=1)


def settled(
    dollars: int = 12_000,
    *,
    debtor: str = OTHER,
    creditor: str = CUSTOMER,
    after: timedelta = timedelta(0),
    is_cash: bool = True,
    payment_id: str | None = None,
) -> PaymentSettled:
    """Cash above the limit, paid in by Ann, unless something else is said."""
    return PaymentSettled(
        payment_id=payment_id or ids.new(),
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=debtor,
        creditor_customer_id=creditor,
        amount_minor=dollars * 100,
        currency="USD",
        is_cash=is_cash,
        instructed_at=START + after,
        transfer_id=ids.new(),
        settled_at=START + after + timedelta(minutes=1),
    )


def silenced(
    kind: SilenceKind = SilenceKind.SUPPRESS, *, until: timedelta = 30 * DAY, reason: str = "a till"
) -> SilenceScenario:
    return SilenceScenario(
        customer_id=CUSTOMER,
        scenario=Scenario.CASH_REPORT,
        kind=kind,
        until=START + until,
        reason=reason,
        by="ann",
        role="operator",
    )


@pytest.fixture
def office() -> Office:
    """One that knows Ann. Of the other side nobody has heard."""
    office = Office()
    office.decide(registered())
    return office


def about_ann(office: Office) -> list[Alert]:
    return [alert for alert in office.alerts.values() if alert.customer_id == CUSTOMER]


def test_what_has_settled_raises_an_alert_and_opens_a_case_of_the_customer(office: Office) -> None:
    events = office.decide(settled())
    (alert,) = about_ann(office)
    assert (alert.scenario, alert.state) == (Scenario.CASH_REPORT, AlertState.OPEN)
    assert alert.reason == "cash of $12,000 was paid in on the business day 2026-01-05: a report is due"
    assert [event.customer_id for event in events if isinstance(event, CaseOpened)] == [OTHER, CUSTOMER]
    assert alert.case_id is not None
    case = office.cases[alert.case_id]
    assert (case.customer_id, case.reasons, case.concerns) == (CUSTOMER, ("cash_report",), (CaseConcern.MONITORING,))
    assert case.customer is not None and case.customer.subject is not None
    assert case.case_id != customer_case_id(CUSTOMER)


def test_an_alert_keeps_the_movements_that_it_rests_on(office: Office) -> None:
    first, second = settled(6_000), settled(5_000, after=timedelta(hours=1))
    office.decide(first)
    office.decide(second)
    (alert,) = about_ann(office)
    assert [(one.payment_id, one.cents, one.is_cash) for one in alert.movements] == [
        (first.payment_id, 600_000, True),
        (second.payment_id, 500_000, True),
    ]
    assert {(one.debtor_customer_id, one.creditor_customer_id) for one in alert.movements} == {(None, CUSTOMER)}
    assert {one.counterpart for one in alert.movements} == {counterpart_of(OTHER)}
    assert [one.at for one in alert.movements] == [first.instructed_at, second.instructed_at]


def test_alerts_of_one_customer_join_one_case_until_it_has_ended(office: Office) -> None:
    office.decide(settled())
    office.decide(settled(after=DAY))
    first, second = about_ann(office)
    assert first.case_id == second.case_id
    resolve(office, first.case_id)
    office.decide(settled(after=2 * DAY))
    third = about_ann(office)[-1]
    assert third.case_id != first.case_id
    assert third.case_id is not None and len(office.cases[third.case_id].alerts) == 1


def resolve(office: Office, case_id: str | None) -> list[object]:
    assert case_id is not None
    version = office.cases[case_id].version
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=version))
    decision = CaseDecision.REJECT
    office.decide(
        ProposeDecision(
            case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=version + 1, decision=decision, note="report"
        )
    )
    return list(
        office.decide(ConfirmDecision(case_id=case_id, actor="ben", role=Role.SUPERVISOR, version=version + 2, note=""))
    )


def test_what_two_people_decide_about_alerts_says_nothing_of_whether_the_customer_is_served(office: Office) -> None:
    office.decide(settled())
    before = office.customers[CUSTOMER]
    (resolved,) = resolve(office, about_ann(office)[0].case_id)
    assert isinstance(resolved, CaseResolved)
    assert resolved.concerns == (CaseConcern.MONITORING,)
    assert office.customers[CUSTOMER] == before


def test_nor_does_it_if_people_look_at_them_once_more(office: Office) -> None:
    office.decide(settled())
    case_id = about_ann(office)[0].case_id
    assert case_id is not None
    resolve(office, case_id)
    office.switch_to(HEADER + "9,person,Ann Miller,,,,,,\n")
    before, ended = office.customers[CUSTOMER], office.cases[case_id]
    again = ReopenCase(case_id=case_id, actor="ben", role=Role.SUPERVISOR, version=ended.version, note="a newspaper")
    (opened,) = office.decide(again)
    assert isinstance(opened, CaseOpened)
    assert office.customers[CUSTOMER] == before
    assert office.cases[case_id].customer == ended.customer, "it is about what money has done"


def test_a_proposal_falls_with_the_next_alert(office: Office) -> None:
    office.decide(settled())
    case_id = about_ann(office)[0].case_id
    assert case_id is not None
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=1))
    decision = CaseDecision.APPROVE
    office.decide(
        ProposeDecision(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=2, decision=decision, note="known")
    )
    office.decide(settled(after=DAY))
    assert office.cases[case_id].status is CaseStatus.TAKEN


def test_the_same_payment_told_again_changes_nothing(office: Office) -> None:
    event = settled()
    office.decide(event)
    alerts, watched = dict(office.alerts), dict(office.watched)
    office.decide(event, event)
    assert (office.alerts, office.watched) == (alerts, watched)


@pytest.mark.parametrize(
    "event",
    [
        settled(debtor=CUSTOMER),
        replace(settled(), debtor_customer_id=""),
        replace(settled(), creditor_customer_id=""),
    ],
)
def test_own_money_and_money_of_nobody_known_is_not_looked_at(office: Office, event: PaymentSettled) -> None:
    assert not office.decide(event)
    assert not office.alerts


def test_an_order_that_claims_to_be_of_the_future_is_of_when_it_was_settled(office: Office) -> None:
    office.decide(replace(settled(), instructed_at=START + 400 * DAY, settled_at=START))
    assert about_ann(office)[0].occurred_at == START


# Silence


def test_a_suppressed_alert_is_kept_and_opens_no_case(office: Office) -> None:
    office.decide(silenced())
    office.decide(settled())
    (alert,) = about_ann(office)
    assert (alert.state, alert.case_id) == (AlertState.SUPPRESSED, None)
    assert not [case for case in office.cases.values() if case.customer_id == CUSTOMER]
    (change,) = office.silences
    assert (change.kind, change.reason, change.by) == (SilenceKind.SUPPRESS, "a till", "ann")


def test_another_scenario_is_heard_all_the_same(office: Office) -> None:
    office.decide(silenced())
    office.decide(*(settled(9_000, after=n * DAY) for n in range(3)))
    assert [alert.scenario for alert in about_ann(office)] == [Scenario.STRUCTURING]


def test_silence_has_an_end(office: Office) -> None:
    office.decide(silenced(until=DAY))
    office.now = START + DAY
    office.decide(settled())
    assert about_ann(office)[0].state is AlertState.OPEN


def test_what_a_snooze_holds_back_comes_up_at_its_end(office: Office) -> None:
    office.decide(silenced(SilenceKind.SNOOZE, until=DAY))
    office.decide(settled())
    assert about_ann(office)[0].state is AlertState.SNOOZED
    assert office.watched[CUSTOMER].wake_at == START + DAY
    assert not office.decide(WakeAlerts(customer_id=CUSTOMER))
    office.now = START + DAY
    (opened,) = office.decide(WakeAlerts(customer_id=CUSTOMER))
    assert isinstance(opened, CaseOpened)
    (alert,) = about_ann(office)
    assert (alert.state, alert.case_id) == (AlertState.OPEN, opened.case_id)
    assert office.watched[CUSTOMER].wake_at is None
    assert not office.decide(WakeAlerts(customer_id=CUSTOMER))


def test_a_snooze_that_is_ended_early_gives_back_what_it_holds(office: Office) -> None:
    office.decide(silenced(SilenceKind.SNOOZE))
    office.decide(settled())
    office.decide(
        EndSilence(customer_id=CUSTOMER, scenario=Scenario.CASH_REPORT, reason="back", by="ben", role="operator")
    )
    office.decide(WakeAlerts(customer_id=CUSTOMER))
    assert about_ann(office)[0].state is AlertState.OPEN


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (replace(silenced(), customer_id=THIRD), "customer_unknown"),
        (silenced(reason=" "), "reason_missing"),
        (silenced(until=-DAY), "end_passed"),
        (silenced(until=367 * DAY), "end_too_far"),
        (
            EndSilence(customer_id=CUSTOMER, scenario=Scenario.FAN_IN, reason="x", by="ann", role="operator"),
            "not_silent",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(office: Office, command: SilenceScenario | EndSilence, reason: str) -> None:
    assert office.refusal(command) == reason


# Parameters


def cash_above(
    dollars: int, effective_from: datetime | None = None, reason: str = "a new law", *, role: str = "officer"
) -> SetParameters:
    return SetParameters(
        scenario=Scenario.CASH_REPORT,
        parameters=parameters.read(Scenario.CASH_REPORT, {"above_cents": dollars * 100}),
        effective_from=effective_from,
        reason=reason,
        by="ann",
        role=role,
    )


def set_by_two(office: Office, command: SetParameters) -> None:
    office.decide(command)
    (change,) = office.changes.values()
    office.decide(ConfirmParameters(change_id=change.change_id, by="olga", role="officer", reason=""))


def decision(office: Office, kind: type[DecideChange], by: str) -> DecideChange:
    (change,) = office.changes.values()
    return kind(change_id=change.change_id, by=by, role="officer", reason="")


def test_what_a_scenario_looks_for_is_changed_by_two_people(office: Office) -> None:
    before = office.versions
    office.decide(cash_above(20_000))
    assert office.versions == before, "nothing changes yet"
    assert office.refusal(decision(office, ConfirmParameters, "ann")) == "own_proposal"
    office.decide(decision(office, ConfirmParameters, "olga"))
    assert (office.versions[-1].set_by, office.versions[-1].reason) == ("ann, confirmed by olga", "a new law")
    assert office.versions[-1].effective_from == office.now
    assert office.refusal(decision(office, ConfirmParameters, "oscar")) == "wrong_status"
    unknown = ConfirmParameters(change_id=ids.new(), by="olga", role="officer", reason="")
    assert office.refusal(unknown) == "change_unknown"
    assert [entry.verb for entry in office.audit] == ["change_proposed", "parameters_set"]


@pytest.mark.parametrize("role", ["operator", "client"])
def test_what_is_proposed_outside_the_desk_takes_two_people_there(office: Office, role: str) -> None:
    before = office.versions
    office.decide(cash_above(20_000, role=role))
    # Whatever name was given: olga may have proposed it herself.
    office.decide(decision(office, ConfirmParameters, "olga"))
    (change,) = office.changes.values()
    assert (change.status, change.proposed_by, change.adopted_from) == (ChangeStatus.PROPOSED, "olga", "ann")
    assert office.versions == before
    assert office.refusal(decision(office, ConfirmParameters, "olga")) == "own_proposal"
    office.decide(decision(office, ConfirmParameters, "oscar"))
    assert office.versions[-1].set_by == "olga, confirmed by oscar"
    assert [entry.verb for entry in office.audit] == ["change_proposed", "change_adopted", "parameters_set"]


def test_a_proposal_does_not_undo_what_others_have_set_since(office: Office) -> None:
    office.decide(cash_above(20_000))
    (stale,) = office.changes.values()
    assert "above_cents=2000000 (was 1000000)" in stale.said
    assert "is_on=True," in stale.said, "what stays is named as it is"
    office.decide(cash_above(5_000))
    (new,) = (change for change in office.changes.values() if change != stale)
    late, early = (
        ConfirmParameters(change_id=change.change_id, by="olga", role="officer", reason="") for change in (stale, new)
    )
    office.decide(early)
    assert office.refusal(late) == "overtaken"
    assert office.versions[-1].parameters == cash_above(5_000).parameters


def test_of_two_that_are_confirmed_at_once_the_first_counts(office: Office) -> None:
    office.decide(cash_above(20_000))
    office.decide(cash_above(5_000))
    first, second = (ConfirmParameters(change_id=id_, by="olga", role="officer", reason="") for id_ in office.changes)
    before = len(office.versions)
    results = office._run([first, second])
    assert [result.refusal and result.refusal.reason for result, _ in results] == [None, "overtaken"]
    assert len(office.versions) == before + 1


def test_what_was_turned_down_or_confirmed_too_late_changes_nothing(office: Office) -> None:
    before = office.versions
    office.decide(cash_above(20_000, START + DAY / 24))
    office.now = START + DAY
    assert office.refusal(decision(office, ConfirmParameters, "olga")) == "overtaken"
    office.decide(decision(office, TurnDownParameters, "ann"))
    assert office.refusal(decision(office, ConfirmParameters, "olga")) == "wrong_status"
    assert office.versions == before


def test_parameters_are_in_force_from_their_day_on_by_event_time(office: Office) -> None:
    set_by_two(office, cash_above(20_000, START + 2 * DAY))
    office.decide(settled(), settled(after=3 * DAY), settled(21_000, after=4 * DAY))
    assert [alert.occurred_at for alert in about_ann(office)] == [START, START + 4 * DAY]
    first, last = about_ann(office)
    assert first.parameters_version != last.parameters_version == office.versions[-1].version


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (cash_above(1, reason=""), "reason_missing"),
        (cash_above(1, datetime(2020, 1, 1, tzinfo=UTC)), "already_decided"),
    ],
)
def test_nobody_sets_parameters_for_the_past_or_without_a_reason(
    office: Office, command: SetParameters, reason: str
) -> None:
    assert office.refusal(command) == reason


# Alike


def test_forty_cases_of_round_amounts_are_decided_together_each_on_record(office: Office) -> None:
    customers = [ids.named("customer", str(number)) for number in range(40)]
    for number, customer_id in enumerate(customers):
        payers = [ids.named("payer", str(number), str(n)) for n in range(5)]
        office.decide(
            *(
                settled(5_000, debtor=payer, creditor=customer_id, after=n * DAY, is_cash=False)
                for n, payer in enumerate(payers)
            )
        )
    cases = [case for case in office.cases.values() if case.reasons == ("round_amounts",)]
    assert {case.customer_id for case in cases} == set(customers)
    assert len({likeness_of(case) for case in cases}) == 1
    seen = tuple(SeenCase(case_id=case.case_id, version=case.version) for case in cases)
    told = "Rents, on the first of each month."
    proposal = ProposeAlike(actor="ann", role=Role.SUPERVISOR, cases=seen, decision=CaseDecision.APPROVE, note=told)
    office.decide(proposal)
    proposed = tuple(SeenCase(case_id=one.case_id, version=office.cases[one.case_id].version) for one in seen)
    events = office.decide(ConfirmAlike(actor="ben", role=Role.SUPERVISOR, cases=proposed, note=""))
    assert [type(event) for event in events] == [CaseResolved] * 40
    audited = [(entry.verb, entry.object_id) for entry in office.audit]
    for verb in ("proposed", "confirmed"):
        assert {id_ for done, id_ in audited if done == verb} == {case.case_id for case in cases}


def test_cases_of_other_scenarios_are_not_alike(office: Office) -> None:
    office.decide(settled())
    (cash,) = (case for case in office.cases.values() if case.customer_id == CUSTOMER)
    more = replace(cash.alerts[0], scenario=Scenario.FAN_IN)
    assert likeness_of(cash) is not None
    assert likeness_of(replace(cash, alerts=(*cash.alerts, cash.alerts[0]))) == likeness_of(cash)
    assert likeness_of(replace(cash, alerts=(*cash.alerts, more))) != likeness_of(cash)
    assert likeness_of(replace(cash, is_second_look=True)) != likeness_of(cash)


def test_of_what_has_moved_people_say_whether_it_is_explained_or_suspicious(office: Office) -> None:
    office.decide(settled())
    (case,) = (case for case in office.cases.values() if case.customer_id == CUSTOMER)
    told = {choice.word: choice.decision for choice in choices(case)}
    assert told == {"explained": CaseDecision.APPROVE, "suspicious": CaseDecision.REJECT}
    # As a program may have said it.
    assert word_of(case, CaseDecision.BLOCK) == "suspicious"


def test_a_customer_that_compliance_does_not_know_is_called_unknown(office: Office) -> None:
    office.decide(settled())
    titles = {case.customer_id: views.case_row(case, START).title for case in office.cases.values()}
    assert titles == {CUSTOMER: "Ann Miller", OTHER: "Unknown customer"}


# Cycles


def hops(*customers: str, dollars: int = 5_000) -> list[PaymentSettled]:
    return [
        settled(dollars, debtor=debtor, creditor=creditor, after=n * DAY, is_cash=False)
        for n, (debtor, creditor) in enumerate(pairwise(customers))
    ]


def test_money_that_comes_back_is_told_to_whom_it_came_back_once(office: Office) -> None:
    events = hops(CUSTOMER, OTHER, THIRD, CUSTOMER)
    for event in events:
        office.decide(event)
    looks = [LookForCycle(payment_id=event.payment_id, customer_id=event.creditor_customer_id) for event in events]
    for look in (*looks, *looks):
        office.decide(look)
    (alert,) = (alert for alert in office.alerts.values() if alert.scenario is Scenario.CYCLE)
    assert alert.customer_id == CUSTOMER
    assert alert.payment_ids == tuple(event.payment_id for event in events)
    assert alert.reason == "$5,000 came back over 3 hops within 3 days"
    ends = [(hop.debtor_customer_id, hop.creditor_customer_id) for hop in alert.movements]
    assert ends == [(CUSTOMER, OTHER), (OTHER, THIRD), (THIRD, CUSTOMER)]


# Batches

EVENTS = st.lists(
    st.builds(
        lambda dollars, is_in, after, is_cash: settled(
            dollars,
            debtor=OTHER if is_in else CUSTOMER,
            creditor=CUSTOMER if is_in else OTHER,
            after=after * timedelta(hours=1),
            is_cash=is_cash,
        ),
        st.sampled_from([500, 4_000, 6_000, 9_500, 12_000]),
        st.booleans(),
        st.integers(0, 300),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30)
@given(EVENTS, st.integers(1, 12))
def test_any_split_into_batches_raises_the_same_alerts_and_puts_them_into_the_same_cases(
    events: list[PaymentSettled], size: int
) -> None:
    one, many = Office(), Office()
    for office in (one, many):
        office.decide(registered())
    one.decide(*events)
    for start in range(0, len(events), size):
        many.decide(*events[start : start + size])

    def told(office: Office) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
        return {id_: (alert.reason, alert.payment_ids, alert.case_id) for id_, alert in office.alerts.items()}

    assert told(one) == told(many)
    assert {id_: case.reasons for id_, case in one.cases.items()} == {
        id_: case.reasons for id_, case in many.cases.items()
    }


# What Prometheus sees


def test_alerts_are_counted_by_scenario_and_by_whether_people_see_them() -> None:
    registry = Metrics()
    observe = metrics.observer(registry)
    office = Office()
    office.observe = observe
    office.decide(registered())
    office.decide(settled())
    office.decide(silenced())
    office.decide(settled(after=DAY))

    def counted(state: AlertState) -> float | None:
        labels = {"scenario": "cash_report", "state": state.value}
        return registry.get_sample_value("compliance_alerts_total", labels)

    # The other side has paid out as much, twice.
    assert (counted(AlertState.OPEN), counted(AlertState.SUPPRESSED), counted(AlertState.SNOOZED)) == (3.0, 1.0, 0.0)
