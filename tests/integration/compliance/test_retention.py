"""Records whose time is over are forgotten, by their kind; nothing else is, and the audit log says how many."""

from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from libs.common import ids
from libs.common.service import Runtime
from schemas.payments.events import PaymentBlocked, PaymentCancelled
from services.compliance import commands
from services.compliance.__main__ import SERVICE
from services.compliance.domain.case import Case
from tests.deciding import decide
from tests.integration.compliance.reports import filing_on
from tests.integration.compliance.scene import (
    ALIKE,
    blocked,
    case_of,
    initiated,
    interventions,
    order,
    rows,
    suspended,
    to_another_bank,
)
from tests.integration.compliance.test_monitoring import settled

NOW = datetime.now(UTC)
YEAR = timedelta(days=366)


def about_list(runtime: Runtime, *, years: float, is_blocked: bool = False) -> str:
    """A case of a payment that resembles a listed party, ended so long ago."""
    event = initiated(order(creditor=ALIKE))
    decide(runtime, event, suspended(event))
    if is_blocked:
        decide(
            runtime,
            PaymentBlocked(
                payment_id=event.payment_id,
                debtor_account_id=event.order.debtor_account_id,
                amount_minor=1,
                currency="EUR",
                transfer_id=ids.new(),
                blocked_at=NOW,
            ),
        )
    ended(runtime, case_of(event), years)
    return case_of(event)


def of_alerts(runtime: Runtime, *, years: float) -> str:
    customer_id = ids.new()
    decide(runtime, settled(12_000, debtor=ids.new(), creditor=customer_id, is_cash=True))
    ((case_id,),) = rows(runtime, "SELECT case_id FROM cases WHERE customer_id = %s", customer_id)
    ended(runtime, case_id, years)
    return str(case_id)


def never_asked(runtime: Runtime, *, days: float) -> str:
    """What is known of a payment that was cancelled before anybody was asked."""
    event = initiated(order())
    decide(
        runtime,
        PaymentCancelled(
            payment_id=event.payment_id, debtor_account_id=event.order.debtor_account_id, cancelled_at=NOW
        ),
    )
    ended(runtime, case_of(event), days / 366)
    return case_of(event)


def ended(runtime: Runtime, case_id: str, years: float) -> None:
    statement = "UPDATE cases SET status = 'resolved', ended_at = %s WHERE case_id = %s"
    runtime.unit.administer(lambda tx: tx.exec_driver_sql(statement, (NOW - years * YEAR, case_id)))


def test_what_nobody_was_asked_about_and_had_no_end_has_one_since_a_migration(compliance: Runtime) -> None:
    case_id = never_asked(compliance, days=0)
    endless = """UPDATE cases SET status = 'closed', ended_at = NULL, body = (body::jsonb - 'ended_at')::text
                  WHERE case_id = %s"""
    compliance.unit.administer(partial(_execute, statement=endless, values=(case_id,)))
    migration = import_module("services.compliance.migrations.0016_agreed_lists")
    ends = migration._CASES.partition("CREATE INDEX")[0]
    compliance.unit.administer(partial(_execute, statement=ends, values=()))
    ((ended_at, body),) = rows(compliance, "SELECT ended_at, body FROM cases WHERE case_id = %s", case_id)
    assert msgspec.json.decode(body, type=Case).ended_at == ended_at is not None


def test_each_kind_is_kept_for_its_own_time(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)
    old = {about_list(compliance, years=10.1), of_alerts(compliance, years=5.1), never_asked(compliance, days=31)}
    kept = {
        about_list(compliance, years=9.9),
        of_alerts(compliance, years=4.9),
        (young := never_asked(compliance, days=29)),
        about_list(compliance, years=11, is_blocked=True),
    }
    reported = of_alerts(compliance, years=6)
    filing_on(compliance, reported, approved=True)
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql(
            "UPDATE screenings SET screened_at = now() - interval '11 years' WHERE payment_id IN"
            " (SELECT payment_id FROM cases WHERE case_id = ANY(%s))",
            (list(old),),
        )
    )
    result = CliRunner().invoke(commands.app(SERVICE), ["forget-records"])
    assert result.exit_code == 0, result.output
    assert "cases: 3 forgotten" in result.output
    assert "screenings: 1 forgotten" in result.output
    left = {case_id for (case_id,) in rows(compliance, "SELECT case_id FROM cases WHERE ended_at IS NOT NULL")}
    assert left == kept | {reported}
    for table in ("case_acts", "case_words"):
        found = {case_id for (case_id,) in rows(compliance, f"SELECT DISTINCT case_id FROM {table}")}
        assert not found & old
        assert kept - {young} <= found
    forgotten = rows(
        compliance, "SELECT object_id, details FROM audit_entries WHERE verb = 'records_forgotten' ORDER BY number"
    )
    assert forgotten == [("screenings", "1"), ("cases", "3")]
    assert interventions(compliance)[:2] == 2 * ["forget-records"]
    assert CliRunner().invoke(commands.app(SERVICE), ["verify-audit"]).exit_code == 0


def test_what_the_travel_rule_asked_for_is_kept_for_five_years_and_with_what_is_blocked(
    compliance: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)
    old, held, young = (initiated(to_another_bank()) for _ in range(3))
    decide(compliance, old, held, young, blocked(held.payment_id))
    aged = "UPDATE travel_records SET asked_on = %s WHERE payment_id = %s"
    for event, years in ((old, 5.1), (held, 5.1), (young, 4.9)):
        on = (NOW - years * YEAR).date()
        compliance.unit.administer(partial(_execute, statement=aged, values=(on, event.payment_id)))
    result = CliRunner().invoke(commands.app(SERVICE), ["forget-records"])
    assert "travel: 1 forgotten" in result.output
    left = {payment_id for (payment_id,) in rows(compliance, "SELECT payment_id FROM travel_records")}
    assert left == {held.payment_id, young.payment_id}


def _execute(tx: Connection, statement: str, values: tuple[Any, ...]) -> None:
    tx.exec_driver_sql(statement, values)


@pytest.mark.parametrize(
    ("kind", "years", "is_kept"),
    [
        ("sar", 4.9, True),
        ("sar", 5.1, False),
        ("ctr", 5.1, False),
        ("rejected", 9.9, True),
        ("rejected", 10.1, False),
        ("blocked", 30, True),
        ("annual", 30, True),
    ],
)
def test_a_report_is_kept_as_long_as_the_law_of_its_kind_asks(
    compliance: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str, years: float, is_kept: bool
) -> None:
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)
    filing_id, filed_at = ids.new(), NOW - years * YEAR

    def file(tx: Connection) -> None:
        tx.exec_driver_sql(
            "INSERT INTO filings (filing_id, case_id, kind, status, due_on, body)"
            " VALUES (%s, %s, %s, 'filed', %s, '{}')",
            (filing_id, ids.new(), kind, filed_at.date()),
        )
        tx.exec_driver_sql(
            "INSERT INTO filing_acts (filing_id, number, kind, actor, acted_at, note)"
            " VALUES (%s, 1, 'filed', 'o', %s, '')",
            (filing_id, filed_at),
        )

    compliance.unit.administer(file)
    result = CliRunner().invoke(commands.app(SERVICE), ["forget-records"])
    assert result.exit_code == 0, result.output
    for table in ("filings", "filing_acts"):
        found = rows(compliance, f"SELECT filing_id FROM {table} WHERE filing_id = %s", filing_id)
        assert bool(found) == is_kept, table


@pytest.mark.parametrize("table", ["case_acts", "audit_entries"])
def test_what_was_done_stays_on_record_but_for_that(compliance: Runtime, table: str) -> None:
    about_list(compliance, years=1)

    def delete(tx: Connection) -> None:
        if table == "audit_entries":
            # Not even where other records are forgotten.
            tx.exec_driver_sql("SET LOCAL weir.forgets = 'on'")
        tx.exec_driver_sql(f"DELETE FROM {table}")

    with pytest.raises(IntegrityError, match="append-only"):
        compliance.unit.administer(delete)
