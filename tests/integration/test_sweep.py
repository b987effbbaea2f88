"""The sweep: what time makes due is carried out, and one bad case never stops the others."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from libs.common import idempotency, ids, sweep, tracing
from libs.common.database import execute, fetch, transaction
from libs.common.message import Message
from libs.common.metrics import Metrics, SweepMetrics
from libs.common.service import Runtime
from libs.common.sweep import Prune, Sweep
from tests.parts import Parts
from tests.tally.service import UNLUCKY, Increment, Superstition, service


@pytest.fixture(scope="module")
def tally(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(service()) as runtime:
        yield runtime


PRUNES: list[Prune] = [lambda tx, most: idempotency.prune(tx, days=30, rows_max=most)]


def due(counter_id: str, by: int) -> Message:
    return Message(
        message_id=ids.new(),
        body=Increment(counter_id=counter_id, by=by),
        received_at=datetime.now(UTC),
        trace=tracing.begin(),
    )


def test_what_cant_be_decided_or_stored_does_not_stop_what_can(tally: Runtime) -> None:
    Superstition.is_active = True
    found = [due(f"c{n}", 1) for n in range(9)] + [due("bad", 1_000_000), due("unlucky", UNLUCKY), due("last", 1)]

    def find_due(_: Connection, __: datetime, ___: int) -> Sequence[Message]:
        return found

    assert Sweep(tally.unit, find_due, PRUNES, SweepMetrics(Metrics())).run_once() == len(found)
    with transaction(tally.engine) as tx:
        assert fetch(tx, "SELECT count(*) FROM counters WHERE total = 1") == [(10,)]
        assert fetch(tx, "SELECT total FROM counters WHERE counter_id IN ('bad', 'unlucky') AND total <> 0") == []


def test_what_always_fails_does_not_keep_the_rest_from_its_turn(
    tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "DUE_MAX", 2)
    Superstition.is_active = True
    waiting = [due("unlucky", UNLUCKY), due("bad", 1_000_000), due("patient", 1)]

    def find_due(_: Connection, __: datetime, at_most: int) -> Sequence[Message]:
        return waiting[:at_most]

    housekeeping = Sweep(tally.unit, find_due, PRUNES, SweepMetrics(Metrics()))
    assert [housekeeping.run_once(), housekeeping.run_once()] == [2, 1]
    with transaction(tally.engine) as tx:
        assert fetch(tx, "SELECT total FROM counters WHERE counter_id = 'patient'") == [(1,)]
    monkeypatch.setattr(sweep, "REST_SECONDS", 0.0)
    housekeeping._resting.clear()
    assert [housekeeping.run_once(), housekeeping.run_once()] == [2, 2], "after a rest it is tried again"


def test_answers_are_forgotten_as_fast_as_they_grow_old(tally: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PRUNED_MAX", 10)
    with transaction(tally.engine) as tx:
        execute(
            tx,
            """INSERT INTO idempotency_keys (client_id, route, key, body_hash, status, answer, created_at)
               SELECT 'ann', 'increments', n::text, '', 200, '', now() - make_interval(days => 31)
                 FROM generate_series(1, 25) AS n""",
        )
        tx.commit()
    housekeeping = Sweep(tally.unit, None, PRUNES, SweepMetrics(Metrics()))
    for _ in range(3):
        housekeeping.run_once()
    with transaction(tally.engine) as tx:
        assert fetch(tx, "SELECT count(*) FROM idempotency_keys") == [(0,)]
