"""The consumer: each message applied once, poison set aside, outages waited for."""

import ctypes
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import confluent_kafka
import psycopg
import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from prometheus_client import generate_latest

from libs.common import consumer as consumer_module
from libs.common import ids, inbox, kafka, registry, replay
from libs.common.codec import Codec
from libs.common.consumer import Consumer
from libs.common.database import execute, fetch, transaction
from libs.common.errors import Outage
from libs.common.events import Event
from libs.common.interventions import By
from libs.common.kafka import Admin, client_config
from libs.common.replay import ReplayRefused, StillFails
from libs.common.service import Runtime
from libs.common.settings import Settings
from stack.services import PARTITIONS
from tests.parts import Parts
from tests.serving import running
from tests.tally.events import INCREMENT, CounterIncremented, CounterReported
from tests.tally.service import UNLUCKY, Superstition, make_slow, service
from tests.waiting import wait_until


@pytest.fixture
def tally(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(service(), consumer_session_timeout_ms=3_000) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        yield runtime


@pytest.fixture
def ledger(parts: Parts) -> Iterator[Runtime]:
    """The same, but with keys that wait for what could not be applied."""
    with parts.runtime(service(parks_keys=True), consumer_session_timeout_ms=3_000) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        yield runtime


@pytest.fixture(autouse=True)
def superstition() -> Iterator[None]:
    Superstition.is_active = True
    yield
    Superstition.is_active = True


ANN, BEN = (By(actor=name, reason="it was mended") for name in ("ann", "ben"))


class Meter:
    """Publishes increments, well-formed or not, straight to the topic."""

    def __init__(self, runtime: Runtime) -> None:
        self._codec = Codec(runtime.registry, [CounterIncremented])
        self._producer = Producer({**client_config(runtime.settings), "linger.ms": 0})

    def send(self, counter_id: str, by: int, *, event_id: str | None = None, source: str = "/weir/meter") -> str:
        event_id = event_id or ids.new()
        event: Event = CounterIncremented(counter_id=counter_id, by=by)
        self.send_bytes(counter_id, self._codec.encode(event), {"ce_id": event_id, "ce_source": source})
        return event_id

    def send_bytes(self, key: str, value: bytes | None, headers: dict[str, str], partition: int = 0) -> None:
        self._producer.produce(INCREMENT.name, value, key, headers=list(headers.items()), partition=partition)
        self._producer.flush(10)


@contextmanager
def consuming(runtime: Runtime, consumer: Consumer | None = None) -> Iterator[threading.Event]:
    """Run the consumer on a thread for as long as the block lasts; fail if it fails."""
    with running((consumer or runtime.consumer).run) as stop:
        yield stop


def rows(runtime: Runtime, query: str) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query)


def totals(runtime: Runtime) -> dict[str, int]:
    return dict(rows(runtime, "SELECT counter_id, total FROM counters"))


def outcomes(runtime: Runtime) -> dict[str, int]:
    return dict(rows(runtime, "SELECT outcome, count(*) FROM inbox GROUP BY outcome"))


def test_an_event_sent_twice_is_applied_once(tally: Runtime) -> None:
    meter = Meter(tally)
    event_id = meter.send("a", 5)
    meter.send("a", 5, event_id=event_id)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 6})
    assert outcomes(tally) == {"applied": 2}


def test_an_event_sent_again_in_a_later_batch_is_applied_once(tally: Runtime) -> None:
    meter = Meter(tally)
    with consuming(tally):
        event_id = meter.send("a", 5)
        wait_until(lambda: totals(tally) == {"a": 5})
        meter.send("a", 5, event_id=event_id)
        meter.send("a", 1)
        wait_until(lambda: totals(tally) == {"a": 6})


def test_what_is_decided_is_published_with_its_cause_and_its_place(tally: Runtime) -> None:
    meter = Meter(tally)
    cause = meter.send("a", 5)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 5})
    ((headers,),) = rows(tally, "SELECT headers::json FROM outbox")
    assert headers["ce_causationid"] == cause
    assert headers["ce_id"] == ids.derive(cause, "tally", "CounterReported", 0)
    assert (headers["ce_type"], headers["ce_subject"], headers["ce_sequence"]) == (
        "weir.tally.CounterReported",
        "a",
        "1",
    )


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"hello", {"ce_id": ids.new()}, "not Avro in Confluent's wire format"),
        (None, {"ce_id": ids.new()}, "not Avro in Confluent's wire format"),
        (b"\x00\x7f\xff\xff\xff\x02a\x02", {"ce_id": ids.new()}, "the registry knows no Avro schema"),
    ],
)
def test_junk_goes_to_the_dead_letters_byte_for_byte_and_the_stream_goes_on(
    tally: Runtime, value: bytes | None, headers: dict[str, str], reason: str
) -> None:
    meter = Meter(tally)
    meter.send_bytes("junk\x00", value, headers)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    (letter,) = tally.replay.list_dead(limit=10)
    assert letter.source.value == value
    assert letter.source.key == b"junk\x00"
    assert dict(letter.source.headers)["ce_id"] == headers["ce_id"].encode()
    assert reason in letter.error
    ((topic, stored),) = rows(tally, "SELECT topic, value FROM outbox WHERE topic LIKE '%dead%'")
    assert (topic, stored) == ("tally.dead-letters.v1", value)


def test_truncated_avro_an_event_without_an_id_and_a_stranger_on_the_topic_are_dead_letters(tally: Runtime) -> None:
    meter = Meter(tally)
    whole = meter._codec.encode(CounterIncremented(counter_id="a", by=1))
    meter.send_bytes("a", whole[:-1], {"ce_id": ids.new()})
    meter.send_bytes("a", whole + b"x", {"ce_id": ids.new()})
    meter.send_bytes("a", whole, {})
    stranger = Codec(tally.registry, [CounterReported]).encode(CounterReported(counter_id="a", total=1))
    meter.send_bytes("a", stranger, {"ce_id": ids.new()})
    meter.send("a", 7)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 7})
    errors = [letter.error for letter in tally.replay.list_dead(limit=10)]
    assert len(errors) == 3, "an event type that the service doesn't read is none of its business"
    assert "not a CounterIncremented" in errors[0]
    assert "1 bytes follow the end" in errors[1]
    assert "ce_id must be a UUID" in errors[2]


def test_junk_as_large_as_a_topic_takes_is_told_of_by_a_record_that_kafka_takes(tally: Runtime) -> None:
    meter, value = Meter(tally), b"j" * 990_000
    meter.send_bytes("a", value, {"ce_id": ids.new()})
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    (letter,) = tally.replay.list_dead(limit=10)
    assert letter.source.value == value
    ((told, headers),) = rows(tally, "SELECT value, headers::json FROM outbox WHERE topic LIKE '%dead%'")
    assert told is None
    assert headers["weir_dead_letter_id"] == letter.event_id
    assert "too large" in headers["weir_omitted"]


def test_junk_does_not_use_up_the_id_of_an_event_to_come(tally: Runtime) -> None:
    meter, event_id = Meter(tally), ids.new()
    meter.send_bytes("a", b"junk", {"ce_id": event_id})
    with consuming(tally):
        meter.send("a", 3, event_id=event_id)
        wait_until(lambda: totals(tally) == {"a": 3})


def test_a_decision_that_raises_leaves_no_trace_and_its_neighbours_are_applied(tally: Runtime) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    dead_id = meter.send("a", UNLUCKY)
    meter.send("a", 2)
    meter.send("b", 4)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 3, "b": 4})
    (letter,) = tally.replay.list_dead(limit=10)
    assert (letter.event_id, letter.error_type, letter.error) == (dead_id, "ValueError", "thirteen")
    assert outcomes(tally) == {"applied": 3, "dead": 1}


def test_what_the_database_refuses_is_found_by_halving_the_batch(tally: Runtime) -> None:
    meter = Meter(tally)
    for n in range(20):
        meter.send("a", 1_000_000 if n == 11 else 1)
        meter.send("b", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 19, "b": 20})
    (letter,) = tally.replay.list_dead(limit=10)
    assert "can't be stored" in letter.error
    assert outcomes(tally) == {"applied": 39, "dead": 1}


def test_a_race_for_the_same_new_row_is_no_dead_letter(tally: Runtime) -> None:
    """As when two workers meet, on two topics, the first two messages about the same thing."""
    meter = Meter(tally)
    with transaction(tally.engine) as tx:
        # The first to save finds that another was quicker; a sequence doesn't go back with its transaction.
        execute(tx, "CREATE SEQUENCE saves")
        execute(
            tx,
            """CREATE FUNCTION lose_once() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN IF nextval('saves') = 1 THEN RAISE unique_violation; END IF; RETURN NEW; END $$""",
        )
        execute(tx, "CREATE TRIGGER race BEFORE UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION lose_once()")
        tx.commit()
    meter.send("a", 5)
    with consuming(tally):
        wait_until(lambda: outcomes(tally) != {})
    assert (totals(tally), outcomes(tally)) == ({"a": 5}, {"applied": 1})


def test_a_locked_row_is_waited_for_and_is_no_dead_letter(tally: Runtime) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        dsn = tally.settings.database_dsn
        with psycopg.connect(dsn) as holder:
            holder.execute("SELECT * FROM counters WHERE counter_id = 'a' FOR UPDATE")
            with psycopg.connect(dsn, autocommit=True) as admin:
                meter.send("a", 2)
                waiting = (
                    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                wait_until(lambda: admin.execute(waiting).fetchone() is not None)
                (pid,) = admin.execute(waiting).fetchone() or (0,)
                admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
                wait_until(
                    lambda: admin.execute(waiting).fetchone() not in (None, (pid,)) or not tally.consumer.is_ready
                )
            holder.rollback()
        wait_until(lambda: totals(tally) == {"a": 3})
    assert tally.replay.list_dead(limit=10) == []


def test_a_lost_database_is_waited_for_and_is_no_dead_letter(tally: Runtime) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        dsn = tally.settings.database_dsn
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
            )
        meter.send("a", 2)
        with psycopg.connect(dsn, autocommit=True) as reader:
            wait_until(lambda: reader.execute("SELECT total FROM counters").fetchall() == [(3,)])
    assert tally.replay.list_dead(limit=10) == []


def test_a_commit_whose_answer_was_lost_is_not_repeated(tally: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(tally)
    lost: list[bool] = []
    run = tally.unit.run

    def run_and_lose_the_answer(*arguments: Any) -> Any:
        result = run(*arguments)
        if not lost:
            lost.append(True)
            raise Outage("the connection broke after COMMIT")
        return result

    monkeypatch.setattr(tally.unit, "run", run_and_lose_the_answer)
    meter.send("a", 5)
    with consuming(tally):
        wait_until(lambda: bool(lost))
        meter.send("a", 1)
        wait_until(lambda: totals(tally) == {"a": 6})
    assert outcomes(tally) == {"applied": 2}


def test_a_busy_worker_keeps_its_pace_and_an_idle_one_begins_at_once(parts: Parts) -> None:
    with parts.runtime(service(), consumer_pace_seconds=2) as tally:
        tally.registry.register(CounterIncremented.contract)
        meter, batches = Meter(tally), 0
        run = tally.unit.run

        def count_batches(*arguments: Any) -> Any:
            nonlocal batches
            batches += 1
            return run(*arguments)

        tally.unit.run = count_batches  # type: ignore[method-assign, assignment]
        with consuming(tally):
            meter.send("a", 1)
            wait_until(lambda: totals(tally) == {"a": 1})
            assert batches == 1
            for _ in range(20):
                meter.send("a", 1)
            wait_until(lambda: totals(tally) == {"a": 21})
        assert batches <= 3, "what comes within the pace is one batch"


def test_a_batch_that_is_too_large_for_its_time_is_applied_in_parts(tally: Runtime) -> None:
    make_slow(tally.engine, rows_max=3)
    meter = Meter(tally)
    for number in range(20):
        meter.send(f"c{number}", 1)
    with consuming(tally):
        wait_until(lambda: len(totals(tally)) == 20)
    assert outcomes(tally) == {"applied": 20}


def test_a_zombie_is_fenced_and_rolls_back(tally: Runtime) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        # Another consumer takes the partition over without this one's being told.
        taken = tally.unit.administer(lambda tx: inbox.take_over(tx, "tally", {(INCREMENT.name, 0): 0}))
        meter.send("a", 100)
        wait_until(lambda: (INCREMENT.name, 0) not in tally.consumer._positions)
        assert totals(tally) == {"a": 1}
    assert taken[INCREMENT.name, 0].next_offset == 1


def test_a_consumer_that_asks_too_late_has_lost_its_place_and_does_nothing_twice(
    tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is at work on one batch for longer than its poll interval: alive to the broker until then, and no longer."""
    tally.consumer._config["max.poll.interval.ms"] = tally.settings.consumer_session_timeout_ms
    run, begun, may_go_on = tally.unit.run, threading.Event(), threading.Event()

    def run_late(*args: Any) -> Any:
        begun.set()
        assert may_go_on.wait(60)
        return run(*args)

    monkeypatch.setattr(tally.unit, "run", run_late)
    meter, second = Meter(tally), Runtime(tally.service, tally.settings)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(begun.is_set)
        with consuming(tally, second.consumer):
            wait_until(lambda: totals(tally) == {"a": 1})
            may_go_on.set()
            wait_until(lambda: (INCREMENT.name, 0) not in tally.consumer._positions)
        meter.send("a", 10)
        wait_until(lambda: totals(tally) == {"a": 11})
    second.engine.dispose()
    assert outcomes(tally) == {"applied": 2}


def test_partitions_move_to_another_consumer_without_loss_or_repetition(parts: Parts, tally: Runtime) -> None:
    meter = Meter(tally)
    second = Runtime(tally.service, tally.settings)
    with consuming(tally):
        for n in range(50):
            meter.send(f"k{n % 5}", 1)
        with consuming(tally, second.consumer):
            wait_until(lambda: second.consumer._positions != {})
            for n in range(50):
                meter.send_bytes(
                    f"k{n % 5}",
                    meter._codec.encode(CounterIncremented(counter_id=f"k{n % 5}", by=1)),
                    {"ce_id": ids.new(), "ce_source": "/weir/meter"},
                    partition=n % PARTITIONS,
                )
            wait_until(lambda: sum(totals(tally).values()) == 100)
    second.engine.dispose()
    assert outcomes(tally) == {"applied": 100}


def test_each_of_two_workers_has_its_share_of_every_topic(parts: Parts) -> None:
    """Also of the one topic that is busy: or a second worker would be no help."""
    names = [f"shared-{number}.v1" for number in range(3)]
    parts.create_topics(names, partitions=6)
    settings = Settings(database_url="postgresql://unused", **dict(parts.messaging))
    workers = [confluent_kafka.Consumer(kafka.consumer_config(settings, "sharing")) for _ in range(2)]
    shares: list[Counter[str]] = [Counter(), Counter()]

    def share() -> bool:
        for number, worker in enumerate(workers):
            worker.poll(0.01)
            shares[number] = Counter(partition.topic for partition in worker.assignment())
        return all(share.total() for share in shares) and sum(share.total() for share in shares) == 18

    try:
        workers[0].subscribe(names)
        wait_until(lambda: not share() and shares[0].total() == 18)
        workers[1].subscribe(names)
        wait_until(share)
    finally:
        for worker in workers:
            worker.close()
    assert shares == [Counter(dict.fromkeys(names, 3))] * 2


def test_a_log_cut_short_stops_the_consumer_instead_of_skipping(tally: Runtime, parts: Parts) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    for _ in range(3):
        meter.send("a", 1)
    admin = Admin(parts.messaging)
    for future in admin.delete_records([TopicPartition(INCREMENT.name, 0, 3)]).values():
        future.result(10)
    again = Runtime(tally.service, tally.settings)
    with pytest.raises(KafkaException, match=r"[Oo]ffset"), consuming(again, again.consumer) as stop:
        assert stop.wait(20)
    assert totals(tally) == {"a": 1}


def test_a_dead_letter_is_applied_after_all_once_the_fault_is_mended(tally: Runtime) -> None:
    meter = Meter(tally)
    dead_id = meter.send("a", UNLUCKY)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    with pytest.raises(StillFails, match="thirteen"):
        tally.replay.apply(dead_id, ANN)
    assert totals(tally) == {"a": 1}
    Superstition.is_active = False
    tally.replay.apply(dead_id, ANN)
    assert totals(tally) == {"a": 14}
    assert tally.replay.find(dead_id).settled_by == "ann"
    assert outcomes(tally) == {"applied": 2}
    with pytest.raises(ReplayRefused, match="settled already"):
        tally.replay.apply(dead_id, BEN)
    assert totals(tally) == {"a": 14}


def test_an_unreadable_event_that_came_twice_is_applied_once_when_its_schema_appears(tally: Runtime) -> None:
    meter, event_id = Meter(tally), ids.new()
    whole = meter._codec.encode(CounterIncremented(counter_id="a", by=4))
    cut = whole[:-1]
    for _ in range(2):
        meter.send_bytes("a", cut, {"ce_id": event_id})
    meter.send("b", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"b": 1})
    letters = tally.replay.list_dead(limit=10)
    assert len(letters) == 2
    with transaction(tally.engine) as tx:
        # What a repaired decoder would make of the same bytes.
        fetch(tx, "UPDATE dead_letters SET value = %s RETURNING 1", (whole,))
        tx.commit()
    for letter in letters:
        tally.replay.apply(letter.event_id, ANN)
    assert totals(tally) == {"a": 4, "b": 1}


def test_a_ledger_parks_the_key_of_what_it_could_not_apply_and_works_it_off_in_order(ledger: Runtime) -> None:
    meter = Meter(ledger)
    meter.send("a", 1)
    dead_id = meter.send("a", UNLUCKY)
    meter.send("a", 2)
    meter.send("b", 5)
    with consuming(ledger):
        wait_until(lambda: totals(ledger) == {"a": 1, "b": 5})
        meter.send("a", 3)
        meter.send("b", 1)
        wait_until(lambda: totals(ledger) == {"a": 1, "b": 6})
        assert ledger.replay.parked_keys() == [("a", dead_id, 2)]
        ledger.figures.run_once(datetime.now(UTC))
        assert "parked_keys 1.0" in generate_latest(ledger.metrics).decode().splitlines()
        with pytest.raises(ReplayRefused, match="must be applied or discarded first"):
            ledger.replay.release("a", ANN)
        Superstition.is_active = False
        ledger.replay.apply(dead_id, ANN)
        assert ledger.replay.release("a", ANN) == 2
        assert totals(ledger) == {"a": 19, "b": 6}
        assert ledger.replay.parked_keys() == []
        meter.send("a", 1)
        wait_until(lambda: totals(ledger) == {"a": 20, "b": 6})
    assert outcomes(ledger) == {"applied": 7}
    reports = rows(
        ledger,
        "SELECT headers::json ->> 'ce_sequence' FROM outbox WHERE topic = 'tally.report.v1' AND key = 'a' ORDER BY id",
    )
    assert [number for (number,) in reports] == ["1", "2", "3", "4", "5"]


def test_a_second_failure_among_the_parked_leaves_the_rest_waiting_for_it(ledger: Runtime) -> None:
    meter = Meter(ledger)
    first = meter.send("a", UNLUCKY)
    second = meter.send("a", UNLUCKY)
    meter.send("a", 2)
    with consuming(ledger):
        wait_until(lambda: outcomes(ledger) == {"dead": 1, "parked": 2})
    ledger.replay.discard(first, ANN)
    assert ledger.replay.release("a", ANN) == 0
    assert ledger.replay.parked_keys() == [("a", second, 1)]
    ledger.replay.discard(second, ANN)
    assert ledger.replay.release("a", ANN) == 1
    assert totals(ledger) == {"a": 2}


def test_a_parked_message_that_cant_be_stored_is_found_and_waited_for(ledger: Runtime) -> None:
    meter = Meter(ledger)
    first = meter.send("a", UNLUCKY)
    meter.send("a", 1)
    meter.send("a", 2)
    unfit = meter.send("a", 1_000_000)
    meter.send("a", 4)
    with consuming(ledger):
        wait_until(lambda: outcomes(ledger) == {"dead": 1, "parked": 4})
    ledger.replay.discard(first, ANN)
    assert ledger.replay.release("a", ANN) == 2
    assert totals(ledger) == {"a": 3}
    assert ledger.replay.parked_keys() == [("a", unfit, 1)]
    with pytest.raises(StillFails, match="counters_total_check"):
        ledger.replay.apply(unfit, ANN)
    ledger.replay.discard(unfit, ANN)
    assert ledger.replay.release("a", ANN) == 1
    assert totals(ledger) == {"a": 7}


def test_two_who_release_one_key_at_once_apply_each_message_once(
    ledger: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = Meter(ledger)
    first = meter.send("a", UNLUCKY)
    for by in (1, 2, 4, 8):
        meter.send("a", by)
    with consuming(ledger):
        wait_until(lambda: outcomes(ledger) == {"dead": 1, "parked": 4})
    ledger.replay.discard(first, ANN)
    monkeypatch.setattr(replay, "RELEASE_BATCH_MAX", 2)

    def release() -> None:
        # Whoever comes when all is done is told that nothing is parked.
        with suppress(ReplayRefused):
            ledger.replay.release("a", ANN)

    releases = [threading.Thread(target=release) for _ in range(2)]
    dsn = ledger.settings.database_dsn
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as admin:
        holder.execute("SELECT * FROM parked_keys FOR UPDATE")
        for thread in releases:
            thread.start()
        # Both have read what waits, and wait for the key.
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_until(lambda: len(admin.execute(waiting).fetchall()) == 2)
        holder.rollback()
    for thread in releases:
        thread.join(20)
    assert totals(ledger) == {"a": 15}
    assert ledger.replay.parked_keys() == []
    assert outcomes(ledger) == {"dead": 1, "applied": 4}


def test_junk_from_outsiders_among_the_parked_is_not_waited_for(ledger: Runtime) -> None:
    meter = Meter(ledger)
    first = meter.send("a", UNLUCKY)
    meter.send("a", UNLUCKY, source="/elsewhere/meter")
    meter.send("a", 2)
    with consuming(ledger):
        wait_until(lambda: outcomes(ledger) == {"dead": 1, "parked": 2})
    ledger.replay.discard(first, ANN)
    assert ledger.replay.release("a", ANN) == 1
    assert totals(ledger) == {"a": 2}
    assert ledger.replay.parked_keys() == []
    assert outcomes(ledger) == {"dead": 2, "applied": 1}


def test_junk_from_outsiders_parks_nobodys_key(ledger: Runtime) -> None:
    meter = Meter(ledger)
    meter.send_bytes("a", b"junk", {"ce_id": ids.new()})
    meter.send("a", UNLUCKY, source="/elsewhere/meter")
    meter.send("a", 2)
    with consuming(ledger):
        wait_until(lambda: totals(ledger) == {"a": 2})
    assert ledger.replay.parked_keys() == []
    assert outcomes(ledger) == {"applied": 1, "dead": 2}


def test_junk_in_the_headers_ends_nobodys_work(ledger: Runtime) -> None:
    """A time without a zone, and a key longer than any index takes from a record that claims to be ours."""
    meter = Meter(ledger)
    whole = meter._codec.encode(CounterIncremented(counter_id="a", by=1))
    meter.send_bytes("a", whole, {"ce_id": ids.new(), "ce_time": "2026-01-01T00:00:00"})
    with consuming(ledger):
        wait_until(lambda: totals(ledger) == {"a": 1})
        long_key = "".join(ids.new() for _ in range(500))
        meter.send_bytes(long_key, b"junk", {"ce_id": ids.new(), "ce_source": "/weir/meter"})
        meter.send("a", 2)
        wait_until(lambda: totals(ledger) == {"a": 3})
    assert ledger.replay.parked_keys() == []


class _Argument(ctypes.Structure):
    """An rd_kafka_vu_t: what kind of argument, and its bytes."""

    _fields_: ClassVar = [("kind", ctypes.c_int), ("value", ctypes.c_void_p * 8)]


def send_with_header(bootstrap: str, value: bytes, name: bytes) -> None:
    """Publish as a client in another language may: ours takes only names that are text."""
    (path,) = Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for function in ("conf_new", "new", "headers_new", "produceva"):
        getattr(library, f"rd_kafka_{function}").restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(256)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap.encode(), error, 256)
    producer = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, 256))
    headers = ctypes.c_void_p(library.rd_kafka_headers_new(1))
    library.rd_kafka_header_add(headers, name, ctypes.c_ssize_t(-1), b"v", ctypes.c_ssize_t(1))
    topic, body = (ctypes.create_string_buffer(text) for text in (INCREMENT.name.encode(), value))
    # RD_KAFKA_VTYPE_TOPIC, _PARTITION, _VALUE, _MSGFLAGS (copy) and _HEADERS.
    given: dict[int, list[int | None]] = {
        1: [ctypes.addressof(topic)],
        3: [0],
        4: [ctypes.addressof(body), len(value)],
        7: [2],
        10: [headers.value],
    }
    arguments = [_Argument(kind, (ctypes.c_void_p * 8)(*words)) for kind, words in given.items()]
    assert library.rd_kafka_produceva(producer, (_Argument * 5)(*arguments), ctypes.c_size_t(5)) is None
    assert library.rd_kafka_flush(producer, 10_000) == 0
    library.rd_kafka_destroy(producer)


def test_a_header_whose_name_is_not_utf8_makes_a_dead_letter(tally: Runtime) -> None:
    meter = Meter(tally)
    for _ in range(100):
        # So many that the interpreter has taken its short cuts.
        meter.send("a", 1)
    send_with_header(tally.settings.kafka_bootstrap, b"junk", b"\xff\xfe")
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 101})
    (letter,) = tally.replay.list_dead(limit=10)
    assert letter.source.value == b"junk"
    assert dict(letter.source.headers).keys() == {"weir_headers_unreadable"}


def test_a_schema_that_is_not_avro_makes_a_dead_letter(tally: Runtime) -> None:
    meter = Meter(tally)
    client = SchemaRegistryClient(registry.client_config(tally.settings))
    schema_id = client.register_schema("strangers", Schema('syntax = "proto3"; message Stranger {}', "PROTOBUF"))
    meter.send_bytes("a", b"\x00" + schema_id.to_bytes(4, "big") + b"\x02a\x02", {"ce_id": ids.new()})
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    (letter,) = tally.replay.list_dead(limit=10)
    assert f"schema {schema_id}" in letter.error


def test_a_database_that_has_lost_its_last_transactions_is_told_them_again(tally: Runtime) -> None:
    """As after a failover to a standby that lagged: offsets, inbox and effects go back together."""
    meter = Meter(tally)
    lost = ids.new()
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        meter.send("a", 2, event_id=lost)
        wait_until(lambda: totals(tally) == {"a": 3})
        with transaction(tally.engine) as tx:
            execute(
                tx, "UPDATE consumer_offsets SET next_offset = 1 WHERE topic = %s AND partition = 0", (INCREMENT.name,)
            )
            execute(tx, "DELETE FROM inbox WHERE event_id = %s", (lost,))
            execute(tx, "UPDATE counters SET total = 1, sequence = 1")
            tx.commit()
        meter.send("a", 4)
        wait_until(lambda: totals(tally) == {"a": 7})
    assert outcomes(tally) == {"applied": 3}


def test_what_was_in_hand_when_partitions_moved_is_read_again_behind_what_the_database_has_forgotten(
    tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover in mid-batch, while another worker comes and goes."""
    meter, is_away, lost = Meter(tally), threading.Event(), ids.new()
    run, tries = tally.unit.run, []

    def run_unless_away(*arguments: Any) -> Any:
        if is_away.is_set():
            tries.append(arguments)
            raise Outage("as if the database were away")
        return run(*arguments)

    monkeypatch.setattr(tally.unit, "run", run_unless_away)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        meter.send("a", 2, event_id=lost)
        wait_until(lambda: totals(tally) == {"a": 3})
        is_away.set()
        meter.send("a", 4)
        wait_until(lambda: bool(tries))
        with transaction(tally.engine) as tx:
            execute(
                tx, "UPDATE consumer_offsets SET next_offset = 1 WHERE topic = %s AND partition = 0", (INCREMENT.name,)
            )
            execute(tx, "DELETE FROM inbox WHERE event_id = %s", (lost,))
            execute(tx, "UPDATE counters SET total = 1, sequence = 1")
            tx.commit()
        _come_and_go(tally)
        wait_until(lambda: (INCREMENT.name, 0) in tally.consumer._positions)
        is_away.clear()
        wait_until(lambda: totals(tally) == {"a": 7})
    assert outcomes(tally) == {"applied": 3}


def _come_and_go(runtime: Runtime) -> None:
    """A worker that is given partitions, and leaves before it has done anything."""
    worker = confluent_kafka.Consumer(kafka.consumer_config(runtime.settings, runtime.service.name))
    worker.subscribe([INCREMENT.name])

    def has_partitions() -> bool:
        worker.poll(0.01)
        return bool(worker.assignment())

    try:
        wait_until(has_partitions)
    finally:
        worker.close()


def test_a_partition_taken_by_one_that_had_lost_it_comes_back_to_whom_the_group_gave_it(
    tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that was thrown out while it waited for the database may raise the epoch after its successor."""
    monkeypatch.setattr(consumer_module, "RECLAIM_SECONDS", 0.5)
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        tally.unit.administer(lambda tx: inbox.take_over(tx, "tally", {(INCREMENT.name, 0): 0}))
        meter.send("a", 2)
        wait_until(lambda: totals(tally) == {"a": 3})
    assert outcomes(tally) == {"applied": 2}


def test_what_is_of_no_interest_moves_the_place_too(
    parts: Parts, tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a log that loses its old records behind a consumer would look as if it had lost unread ones."""
    monkeypatch.setattr(consumer_module, "TELL_SECONDS", 0.1)
    stranger = Codec(tally.registry, [CounterReported]).encode(CounterReported(counter_id="a", total=1))
    meter = Meter(tally)
    for _ in range(3):
        meter.send_bytes("a", stranger, {"ce_id": ids.new()})
    place = "SELECT next_offset FROM consumer_offsets WHERE partition = 0"
    with consuming(tally):
        wait_until(lambda: rows(tally, place) == [(3,)])
    admin = Admin(parts.messaging)
    for future in admin.delete_records([TopicPartition(INCREMENT.name, 0, 3)]).values():
        future.result(10)
    again = Runtime(tally.service, tally.settings)
    meter.send("a", 5)
    with consuming(again, again.consumer):
        wait_until(lambda: totals(tally) == {"a": 5})
    again.engine.dispose()


def test_lag_is_told_while_there_is_more_to_read_and_is_gone_when_there_is_not(
    tally: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "TELL_SECONDS", 0.0)
    meter, label = Meter(tally), {"topic": INCREMENT.name}
    for _ in range(300):
        meter.send("a", 1)
    monkeypatch.setattr(tally.consumer, "_batch_size_max", 1)
    with consuming(tally):
        wait_until(lambda: lag(tally, "records", label) > 0, every_seconds=0.001)
        wait_until(lambda: totals(tally) == {"a": 300} and lag(tally, "records", label) == 0)
        assert lag(tally, "seconds", label) == 0


def lag(runtime: Runtime, unit: str, label: dict[str, str]) -> float:
    return runtime.metrics.get_sample_value(f"consumer_lag_{unit}", label) or 0.0
