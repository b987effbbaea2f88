"""What Prometheus is told of compliance, and of the database that every service has."""

from datetime import datetime, timedelta

import psycopg

from libs.common.database import execute
from libs.common.record import replace
from libs.common.service import Runtime
from services.compliance.domain.audit import Signature
from services.compliance.importing import import_list, parse_list
from tests.integration.compliance.scene import ALIKE, LISTED, NOW, initiated, order, registered, suspended
from tests.serving import tell

HOUR = timedelta(hours=1)


def seen(runtime: Runtime, name: str, **labels: str) -> float:
    value = runtime.metrics.get_sample_value(name, labels)
    assert value is not None
    return value


def test_screenings_are_counted_by_outcome_and_hits_by_role(compliance: Runtime) -> None:
    def counted() -> list[float]:
        outcomes = [
            seen(compliance, "compliance_screenings_total", outcome=one) for one in ("clear", "review", "block")
        ]
        return [*outcomes, seen(compliance, "compliance_screening_hits_total", role="creditor")]

    before = counted()
    asked = [initiated(order(creditor=name)) for name in ("Ben Baker", ALIKE, LISTED)]
    tell(compliance, *asked)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 1, 2]


def test_cases_are_told_by_their_age_and_by_whether_they_are_overdue(compliance: Runtime) -> None:
    fresh, old = initiated(order(creditor=ALIKE)), initiated(order(creditor=ALIKE))
    tell(compliance, fresh, old, suspended(fresh), suspended(old))
    compliance.figures.run_once(NOW)
    assert seen(compliance, "compliance_cases_open", age="under_1h") == 2
    assert seen(compliance, "compliance_cases_overdue") == 0
    compliance.figures.run_once(NOW + 30 * HOUR)
    assert seen(compliance, "compliance_cases_open", age="under_1h") == 0
    assert seen(compliance, "compliance_cases_open", age="under_3d") == 2
    compliance.figures.run_once(NOW + 24 * 30 * HOUR)
    assert seen(compliance, "compliance_cases_open", age="over_3d") == 2
    assert seen(compliance, "compliance_cases_overdue") == 2


def test_lists_are_told_by_their_age_and_customers_by_whether_they_wait_for_them(compliance: Runtime) -> None:
    tell(compliance, registered("Somebody"))  # so that there is a list
    compliance.figures.run_once(NOW)
    before = seen(compliance, "compliance_lists_live")
    files = {"un.csv": b"entity_id,kind,name\n1,person,Tortov Grimbel\n"}
    file = replace(parse_list(files), dated_on=(NOW - 200 * 24 * HOUR).date().isoformat())
    root = Signature(actor="root", role="operator")

    def bring_in(at: datetime) -> None:
        compliance.unit.administer(lambda tx: import_list(tx, "un", file, by=root, shrink_max=0.3))
        moved = (
            "UPDATE list_imports SET imported_at = least(imported_at, %s), checked_at = %s + (checked_at - checked_at)"
        )
        compliance.unit.administer(lambda tx: execute(tx, f"{moved} WHERE list_name = 'un' AND is_live", (at, at)))

    bring_in(NOW)
    compliance.figures.run_once(NOW + 48 * HOUR)
    assert seen(compliance, "compliance_lists_live") == before + 1
    assert seen(compliance, "compliance_list_age_seconds", list="un") == 48 * 3600
    assert 200 * 86400 < seen(compliance, "compliance_list_dated_seconds", list="un") < 204 * 86400, "an old file"
    bring_in(NOW + 24 * HOUR)
    compliance.figures.run_once(NOW + 48 * HOUR)
    assert seen(compliance, "compliance_list_age_seconds", list="un") == 24 * 3600, "the same file is looked at again"
    ages = [s for f in compliance.metrics.collect() if f.name == "compliance_list_age_seconds" for s in f.samples]
    assert "fictional" not in {sample.labels["list"] for sample in ages}, "nobody updates that"
    compliance.unit.administer(lambda tx: execute(tx, "DELETE FROM customers"))
    tell(compliance, registered("Ann Miller"))
    compliance.figures.run_once(NOW)
    assert seen(compliance, "compliance_customers_outdated") == 0
    compliance.unit.administer(lambda tx: execute(tx, "UPDATE customers SET catalogue_version = 0"))
    compliance.figures.run_once(NOW)
    assert seen(compliance, "compliance_customers_outdated") == 1


def test_monitoring_is_behind_by_the_time_the_first_has_waited(compliance: Runtime) -> None:
    compliance.unit.administer(
        lambda tx: execute(
            tx,
            "INSERT INTO watched_customers (customer_id, history, standing, wake_at, forget_on)"
            " VALUES (gen_random_uuid(), '', '{}', %s, '2100-01-01')",
            (NOW - HOUR,),
        )
    )
    compliance.figures.run_once(NOW)
    assert seen(compliance, "compliance_monitoring_behind_seconds") == 3600


def test_an_old_transaction_and_the_size_of_the_database_are_told(compliance: Runtime) -> None:
    compliance.figures.run_once(NOW)
    assert seen(compliance, "database_oldest_transaction_seconds") == 0
    assert 1e6 < seen(compliance, "database_bytes") < seen(compliance, "database_bytes_max")
    with psycopg.connect(compliance.settings.database_dsn) as idle:
        idle.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        idle.execute("SELECT count(*) FROM cases")
        compliance.figures.run_once(NOW)
        assert seen(compliance, "database_oldest_transaction_seconds") > 0
    assert seen(compliance, "database_connections_in_use") == 0
