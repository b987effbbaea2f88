"""Monitoring on real parts: what has settled comes by Kafka, is kept in Postgres, and raises what it must once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from libs.common import ids
from libs.common.database import transaction
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.accounts.events import CustomerPersonalData, PostedTransfer, PostedTransferKind, TransfersPosted
from schemas.compliance.events import CaseOpened
from schemas.payments.events import PaymentSettled
from services.compliance.defaults import shipped_listings, shipped_versions
from services.compliance.domain.rule_change import ChangeKind
from services.compliance.domain.silencing import ConfirmParameters, EndSilence, SetParameters, SilenceScenario
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import SilenceKind
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.cycles import Edge, among, search
from services.compliance.monitoring.parameters import Scenario
from services.compliance.monitoring.standards import Standards
from services.compliance.store import monitoring, rule_changes, watching, work
from tests.deciding import Announcer, decide
from tests.integration.compliance.scene import initiated, registered, rows, settlement, to_another_bank
from tests.serving import running, tell, told
from tests.waiting import wait_until

WEDNESDAY = datetime(2026, 1, 7, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def settled(
    dollars: int, *, debtor: str, creditor: str, after: timedelta = timedelta(0), is_cash: bool = False
) -> PaymentSettled:
    return settlement(dollars, debtor=debtor, creditor=creditor, at=WEDNESDAY + after, is_cash=is_cash)


def alerts(runtime: Runtime, customer_id: str) -> list[tuple[str, str]]:
    query = "SELECT scenario, state FROM alerts WHERE customer_id = %s ORDER BY raised_at, occurred_at"
    return [(scenario, state) for scenario, state in rows(runtime, query, customer_id)]


def test_settled_payments_raise_an_alert_once_though_they_come_again_and_a_case_with_it(compliance: Runtime) -> None:
    ann, till = ids.new(), ids.new()
    events = [
        settled(6_000, debtor=till, creditor=ann, is_cash=True),
        settled(4_001, debtor=till, creditor=ann, after=2 * HOUR, is_cash=True),
    ]
    announcer = Announcer(compliance, PaymentSettled)
    with running(compliance.consumer.run):
        announcer.announce(*events)
        wait_until(lambda: alerts(compliance, ann) == [("cash_report", "open")])
        # With ids of their own, so that no inbox knows them: histories do.
        announcer.announce(*events, *events)
        wait_until(lambda: rows(compliance, "SELECT count(*) FROM inbox") == [(6,)])
    assert alerts(compliance, ann) == [("cash_report", "open")]
    opened = [event for event in told(compliance) if isinstance(event, CaseOpened) and event.customer_id == ann]
    assert len(opened) == 1
    ((body,),) = rows(compliance, "SELECT body::json #>> '{alerts,0,scenario}' FROM cases WHERE customer_id = %s", ann)
    assert body == "cash_report"


def test_cash_of_two_batches_of_one_business_day_is_added_up(compliance: Runtime) -> None:
    ann, till = ids.new(), ids.new()
    # A Saturday and the Monday after it are one business day.
    decide(compliance, settled(5_000, debtor=till, creditor=ann, after=3 * DAY, is_cash=True))
    assert alerts(compliance, ann) == []
    decide(compliance, settled(5_000, debtor=till, creditor=ann, after=5 * DAY, is_cash=True))
    assert alerts(compliance, ann) == []
    decide(compliance, settled(1, debtor=till, creditor=ann, after=5 * DAY + HOUR, is_cash=True))
    assert alerts(compliance, ann) == [("cash_report", "open")]
    ((values,),) = rows(compliance, "SELECT body::json -> 'values' FROM alerts WHERE customer_id = %s", ann)
    assert values == {"total_cents": 1_000_100, "business_day": "2026-01-12", "direction": "in"}


def test_who_is_known_to_live_in_a_country_on_a_list_is_told_of_to_the_other_side(compliance: Runtime) -> None:
    ann, kim = ids.new(), ids.new()
    personal = CustomerPersonalData(name="Kim Example", country="KP")
    decide(compliance, replace(registered("Kim Example", customer_id=kim), personal=personal))
    decide(compliance, settled(100, debtor=ann, creditor=kim))
    assert alerts(compliance, ann) == [("high_risk_country", "open")]
    assert alerts(compliance, kim) == []


def test_payees_elsewhere_are_told_apart_and_who_stands_for_them_is_not_watched(compliance: Runtime) -> None:
    ann, nostro = ids.new(), ids.new()
    orders = [
        replace(to_another_bank(creditor=f"Payee {n}"), debtor_customer_id=ann, creditor_customer_id=nostro)
        for n in range(5)
    ]
    announced = [initiated(ordered) for ordered in orders]
    decide(compliance, *announced)
    moved = [
        replace(settled(900, debtor=ann, creditor=nostro, after=n * HOUR), payment_id=event.payment_id)
        for n, event in enumerate(announced)
    ]
    decide(compliance, *moved[:4])
    assert alerts(compliance, ann) == []
    decide(compliance, moved[4])
    assert alerts(compliance, ann) == [("fan_out", "open")]
    assert rows(compliance, "SELECT count(*) FROM watched_customers WHERE customer_id = %s", nostro) == [(0,)]
    links = "SELECT creditor_customer_id::text FROM payment_links WHERE debtor_customer_id = %s"
    payees = {payee for (payee,) in rows(compliance, links, ann)}
    assert len(payees) == 5 and all(map(ids.is_pseudonym, payees))


def test_transfers_between_customers_come_by_kafka_and_count_once(compliance: Runtime) -> None:
    ann, ben = ids.new(), ids.new()
    events = [transferred(9_000, debtor=ann, creditor=ben, after=n * HOUR) for n in range(5)]
    announcer = Announcer(compliance, TransfersPosted)
    with running(compliance.consumer.run):
        announcer.announce(*events, *events)
        wait_until(lambda: rows(compliance, "SELECT count(*) FROM inbox") == [(10,)])
    assert alerts(compliance, ann) == [("round_amounts", "open")]
    paid = "SELECT payments, cents FROM payment_links WHERE debtor_customer_id = %s AND creditor_customer_id = %s"
    assert rows(compliance, paid, ann, ben) == [(5, 45_000_00)]


def transferred(dollars: int, *, debtor: str, creditor: str, after: timedelta) -> TransfersPosted:
    at = WEDNESDAY + after
    transfer = PostedTransfer(
        transfer_id=ids.new(at_seconds=at.timestamp()),
        kind=PostedTransferKind.BOOKING,
        debit_account_id=ids.derive(debtor, "account"),
        credit_account_id=ids.derive(creditor, "account"),
        amount_minor=dollars * 100,
        currency="USD",
        debit_customer_id=debtor,
        credit_customer_id=creditor,
        effective_at=at,
        recorded_at=at,
    )
    return TransfersPosted(
        link_id=transfer.transfer_id, account_id=transfer.debit_account_id, transfers=(transfer,), posted_at=at
    )


def test_what_a_snooze_holds_back_comes_up_by_the_sweep(compliance: Runtime) -> None:
    ann, till, now = ids.new(), ids.new(), datetime.now(UTC)
    decide(compliance, registered("Ann Miller", customer_id=ann))
    snooze = SilenceScenario(
        customer_id=ann,
        scenario=Scenario.CASH_REPORT,
        kind=SilenceKind.SNOOZE,
        until=now + DAY,
        reason="on leave",
        by="ann",
        role="operator",
    )
    tell(compliance, snooze)
    decide(compliance, settled(20_000, debtor=till, creditor=ann, is_cash=True))
    assert alerts(compliance, ann) == [("cash_report", "snoozed")]
    compliance.sweep.run_once()
    assert alerts(compliance, ann) == [("cash_report", "snoozed")]
    tell(
        compliance, EndSilence(customer_id=ann, scenario=Scenario.CASH_REPORT, reason="back", by="ann", role="operator")
    )
    compliance.sweep.run_once()
    assert alerts(compliance, ann) == [("cash_report", "open")]
    said = rows(compliance, "SELECT kind, reason FROM alert_silences WHERE customer_id = %s ORDER BY silence_id", ann)
    assert said == [("snooze", "on leave"), (None, "back")]


def test_parameters_that_people_set_are_in_force_for_every_process_at_once(compliance: Runtime) -> None:
    ann, till = ids.new(), ids.new()
    decide(compliance, settled(6_000, debtor=till, creditor=ann, is_cash=True))
    assert alerts(compliance, ann) == []
    lower = parameters.read(Scenario.CASH_REPORT, {"above_cents": 5_000_00})
    tell(
        compliance,
        SetParameters(
            scenario=Scenario.CASH_REPORT,
            parameters=lower,
            effective_from=datetime.now(UTC) + HOUR,
            reason="to be told earlier",
            by="ann",
            role="officer",
        ),
    )
    (change,) = rule_changes.list_waiting(compliance.engine, {ChangeKind.SET_PARAMETERS})
    tell(compliance, ConfirmParameters(change_id=change.change_id, by="olga", role="officer", reason=""))
    later = datetime.now(UTC) + 2 * DAY - WEDNESDAY
    ben = ids.new()
    decide(compliance, settled(6_000, debtor=till, creditor=ben, after=later, is_cash=True))
    assert alerts(compliance, ben) == [("cash_report", "open")]


def test_a_cycle_is_found_by_the_sweep_once_whichever_hop_came_last(compliance: Runtime) -> None:
    customers = [ids.new() for _ in range(4)]
    events = [
        settled(5_000 - n, debtor=debtor, creditor=creditor, after=n * DAY)
        for n, (debtor, creditor) in enumerate(pairwise([*customers, customers[0]]))
    ]
    decide(compliance, *reversed(events))
    compliance.sweep.run_once()
    assert ("cycle", "open") not in alerts(compliance, customers[0])
    _wait_is_over(compliance)
    compliance.sweep.run_once()
    compliance.sweep.run_once()
    assert alerts(compliance, customers[0]).count(("cycle", "open")) == 1
    assert rows(compliance, "SELECT count(*) FROM hops WHERE NOT is_looked_at") == [(0,)]


def _wait_is_over(runtime: Runtime) -> None:
    with transaction(runtime.engine) as tx:
        due = work.find_due(tx, datetime.now(UTC) + 2 * watching.CYCLE_DELAY, 100)
    assert due
    tell(runtime, *(message.body for message in due))


def test_the_database_and_memory_find_the_same_cycles(compliance: Runtime) -> None:
    """One search over two look-ups."""
    chance = Random(7)
    customers = [ids.new() for _ in range(12)]
    events = []
    for _ in range(150):
        debtor, creditor = chance.sample(customers, 2)
        after = chance.randrange(40 * 24) * HOUR
        events.append(settled(chance.randrange(1_000, 3_000), debtor=debtor, creditor=creditor, after=after))
    decide(compliance, *events)
    hops = rows(compliance, "SELECT payment_id, debtor_customer_id, creditor_customer_id, cents, at_micros FROM hops")
    edges = [Edge(*hop) for hop in hops]
    standards = Standards(shipped_versions(), CountryLists(shipped_listings()))
    with transaction(compliance.engine) as tx:
        found = search(edges, standards, monitoring.edges_into(tx))
    assert found == search(edges, standards, among(_by_creditor(edges)))
    assert found
    for chain in found.values():
        assert chain[0].debtor_customer_id == chain[-1].creditor_customer_id
        assert all(first.at_micros < second.at_micros for first, second in pairwise(chain))


def _by_creditor(edges: Sequence[Edge]) -> dict[str, list[Edge]]:
    into: dict[str, list[Edge]] = {}
    for edge in edges:
        into.setdefault(edge.creditor_customer_id, []).append(edge)
    return into
