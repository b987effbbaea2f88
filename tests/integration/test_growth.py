"""What keeps tables bounded: every table is classified, and the jobs forget what is old and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from libs.common import dead_letters, ids, inbox, interventions, kafka
from libs.common.database import execute, fetch
from libs.common.service import INBOX_MARGIN, Runtime, Service
from operate import tables
from services.accounts import __main__ as accounts
from services.compliance import __main__ as compliance
from services.fraud import __main__ as fraud
from services.payments import __main__ as payments
from services.payments import store
from soak import ageing
from tests.parts import Parts

SERVICES = [module.SERVICE for module in (payments, fraud, compliance, accounts)]
DAY_MS = 86_400_000
TURNS = 5


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_of_every_table_it_is_known_what_bounds_it(parts: Parts, service: Service) -> None:
    with parts.runtime(service) as runtime:
        found = runtime.unit.administer(
            lambda tx: fetch(
                tx, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
            )
        )
        assert {name for (name,) in found} == tables.of(service.name).keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_sweep_forgets_all_that_the_long_run_finds_in_tables_from_years_ago(parts: Parts, service: Service) -> None:
    rows, aged = 3, ageing.of(service.name)
    with parts.runtime(service, retention_ms=DAY_MS) as runtime:

        def put(tx: Connection) -> None:
            for table, old in aged.items():
                assert execute(tx, ageing.inserting(service.name, table, old, rows=rows)) == rows

        def left(tx: Connection) -> dict[str, int]:
            return {table: fetch(tx, ageing.counting(table, old))[0][0] for table, old in aged.items()}

        runtime.unit.administer(put)
        assert runtime.unit.administer(left) == dict.fromkeys(aged, rows)
        # Compliance forgets parties when nothing else is due, and the first time it has its lists to look back at.
        for _ in range(TURNS):
            runtime.sweep.run_once()
        assert runtime.unit.administer(left) == dict.fromkeys(aged, 0)


def claimed(tx: Connection, event_id: str, *, days_ago: float) -> str:
    """A message that was taken so long ago."""
    execute(
        tx,
        "INSERT INTO inbox (consumer, event_id, claimed_at) VALUES ('payments', %s, now() - %s)",
        (event_id, timedelta(days=days_ago)),
    )
    return event_id


def test_the_sweep_forgets_messages_when_no_topic_holds_them_any_more(parts: Parts) -> None:
    now = datetime.now(UTC).timestamp()
    days = INBOX_MARGIN.days + 7
    with parts.runtime(payments.SERVICE, retention_ms=7 * DAY_MS) as runtime:

        def take(tx: Connection) -> set[str]:
            old, young = now - (days + 1) * 86_400, now - (days - 1) * 86_400
            claimed(tx, ids.new(at_seconds=old), days_ago=days + 1)
            dead = claimed(tx, ids.new(at_seconds=old), days_ago=days + 1)
            execute(tx, "UPDATE inbox SET outcome = 'dead' WHERE event_id = %s", (dead,))
            return {
                dead,
                claimed(tx, ids.new(at_seconds=young), days_ago=days - 1),
                # The end of a journey that began long ago: its event is young, and may come again.
                claimed(tx, ids.new(at_seconds=old), days_ago=1),
            }

        kept = runtime.unit.administer(take)
        runtime.sweep.run_once()
        rows = runtime.unit.administer(lambda tx: fetch(tx, "SELECT event_id::text FROM inbox"))
        assert {event_id for (event_id,) in rows} == kept


def count_after_a_sweep(runtime: Runtime) -> int:
    """How many messages of long ago are still known then."""
    runtime.unit.administer(lambda tx: claimed(tx, ids.new(at_seconds=1_000_000_000), days_ago=8_000))
    runtime.sweep.run_once()
    ((count,),) = runtime.unit.administer(lambda tx: fetch(tx, "SELECT count(*) FROM inbox"))
    return int(count)


def test_where_topics_keep_everything_so_does_the_inbox_whatever_a_setting_says_since(parts: Parts) -> None:
    with parts.runtime(payments.SERVICE) as made:
        settings = made.settings.model_copy(update={"retention_ms": DAY_MS})
        later = Runtime(payments.SERVICE, settings)
        assert count_after_a_sweep(later) == 1
        later.engine.dispose()


def test_while_topics_can_not_be_asked_nothing_is_forgotten(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_TIMEOUT_SECONDS", 0.2)
    with parts.runtime(payments.SERVICE, retention_ms=DAY_MS) as made:
        away = Runtime(payments.SERVICE, made.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))
        assert count_after_a_sweep(away) == 1
        away.engine.dispose()


def test_a_job_forgets_as_many_as_it_may_and_leaves_the_rest_for_its_next_turn(parts: Parts) -> None:
    with parts.runtime(payments.SERVICE) as runtime:

        def forget(tx: Connection) -> tuple[int, int]:
            for _ in range(5):
                claimed(tx, ids.new(at_seconds=1_000_000_000), days_ago=8_000)
            before = datetime.now(UTC) - timedelta(days=1)
            return tuple(inbox.prune(tx, "payments", before=before, rows_max=3) for _ in range(2))  # type: ignore[return-value]

        assert runtime.unit.administer(forget) == (3, 2)


def test_what_was_settled_long_ago_is_forgotten_and_what_is_dead_never(parts: Parts) -> None:
    letter = """INSERT INTO dead_letters (event_id, status, topic, partition, record_offset, headers, error_type, error,
                  stack, settled_at) VALUES (%s, %s, 't', 0, 0, '[]', 'E', 'e', 's', now() - %s)"""
    with parts.runtime(payments.SERVICE) as runtime:

        def forget(tx: Connection) -> list[tuple[str]]:
            for status, days in (("applied", 401), ("applied", 399), ("dead", 9_000), ("discarded", 401)):
                execute(tx, letter, (ids.new(), status, timedelta(days=days)))
            dead_letters.prune(tx, days=400, rows_max=10)
            return fetch(tx, "SELECT status FROM dead_letters ORDER BY status")

        assert runtime.unit.administer(forget) == [("applied",), ("dead",)]


def test_why_lines_were_refused_is_forgotten_with_the_years(parts: Parts) -> None:
    with parts.runtime(payments.SERVICE) as runtime:

        def forget(tx: Connection) -> int:
            now = datetime.now(UTC).timestamp()
            for days in (399, 401):
                batch_id = ids.new(at_seconds=now - days * 86_400)
                columns = "(batch_id, line_number, reason, detail)"
                execute(tx, f"INSERT INTO refused_lines {columns} VALUES (%s, 1, 'r', 'd')", (batch_id,))
            return store.forget_refused_lines(400, tx, 10)

        assert runtime.unit.administer(forget) == 1


def test_what_operators_did_is_forgotten_after_its_time(parts: Parts) -> None:
    with parts.runtime(payments.SERVICE) as runtime:

        def forget(tx: Connection) -> list[str]:
            for days in (399, 401):
                execute(
                    tx,
                    """INSERT INTO interventions (command, arguments, actor, reason, done_at)
                       VALUES (%s, '{}', 'ida', 'so', now() - make_interval(days => %s))""",
                    (str(days), days),
                )
            assert interventions.prune(tx, days=400, rows_max=10) == 1
            return [one.command for one in interventions.list_newest(tx, 10)]

        assert runtime.unit.administer(forget) == ["399"]


def test_a_rewind_stays_on_record(parts: Parts) -> None:
    with parts.runtime(payments.SERVICE) as runtime:

        def rewind(tx: Connection) -> list[tuple[int, int, str]]:
            inbox.take_over(tx, "payments", {("town", 0): 9})
            assert inbox.rewind(tx, "payments", ("town", 0), 4, actor="ida")
            assert not inbox.rewind(tx, "payments", ("town", 0), 5, actor="ida")
            return [(one.from_offset, one.to_offset, one.actor) for one in inbox.list_rewinds(tx, "payments", 9)]

        assert runtime.unit.administer(rewind) == [(9, 4, "ida")]
