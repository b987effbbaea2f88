"""The relay: nothing lost, nothing out of order, whatever else goes on in the database."""

import os
import random
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import Connection, Engine, text

from libs.common import database, ids, kafka, migrations, outbox
from libs.common import relay as relay_module
from libs.common.metrics import Metrics, OutboxMetrics
from libs.common.outbox import OutboxRow
from libs.common.record import replace
from libs.common.relay import Relay
from libs.common.settings import Settings
from libs.common.writes import writing
from tests.parts import Parts
from tests.waiting import wait_until

TOPIC = "test.relay.v1"


@pytest.fixture(scope="module")
def settings(parts: Parts) -> Iterator[Settings]:
    with parts.database("relay") as url:
        found = Settings(
            database_url=url,
            **dict(parts.messaging),
            outbox_shards=2,
            relay_attempts_max=2,
        )
        engine = database.create(found.database)
        migrations.upgrade(engine, None)
        engine.dispose()
        yield found


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = database.create(settings.database)
    with engine.begin() as tx:
        tx.execute(text("TRUNCATE outbox, outbox_parked RESTART IDENTITY"))
    yield engine
    engine.dispose()


@pytest.fixture
def topic(parts: Parts) -> str:
    parts.create_topics([TOPIC], partitions=4)
    return TOPIC


@pytest.fixture
def relay(settings: Settings, engine: Engine) -> Iterator[Relay]:
    relay = new_relay(settings)
    yield relay
    relay.close()


def new_relay(settings: Settings) -> Relay:
    return Relay(
        settings.database_dsn,
        kafka.producer_config(settings),
        OutboxMetrics(Metrics(), shards=2),
        settings,
        threading.Event(),
    )


def row(key: str, value: str, topic: str = TOPIC) -> OutboxRow:
    return OutboxRow(topic=topic, key=key, value=value.encode(), headers={"ce_id": value})


def append(tx: Connection, rows: Sequence[OutboxRow], *, shards: int) -> None:
    with writing(tx) as writes:
        outbox.append(writes, rows, shards=shards)


def write(engine: Engine, *rows: OutboxRow) -> None:
    with database.transaction(engine) as tx:
        append(tx, rows, shards=2)
        tx.commit()


def drain(relay: Relay) -> int:
    """Publish until a look finds nothing twice over, and return how many rows that was."""
    total = empty = 0
    while empty < 2:
        sent = relay.run_once()
        total, empty = total + sent, empty + 1 if sent == 0 else 0
    return total


def published(parts: Parts, topic: str) -> list[tuple[str, str]]:
    """Key and value of all that a topic holds, in order within each partition."""
    consumer = Consumer(
        {**kafka.client_config(parts.messaging), "group.id": "check", "auto.offset.reset": "earliest",
         "enable.partition.eof": True, "enable.auto.commit": False}
    )  # fmt: skip
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[tuple[str, str]] = []
    ended: set[int] = set()
    while len(ended) < len(partitions):
        for record in consumer.consume(500, 1):
            if record.error():
                ended.add(record.partition() or 0)
            else:
                found.append(((record.key() or b"").decode(), (record.value() or b"").decode(errors="replace")))
    consumer.close()
    return found


def by_key(records: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for key, value in records:
        values.setdefault(key, []).append(value)
    return values


def probe_now(relay: Relay) -> None:
    """Let the next look include one at who is inserting."""
    relay._due.pop("probe", None)


def test_the_very_first_event_is_published(parts: Parts, engine: Engine, relay: Relay, topic: str) -> None:
    for _ in range(3):
        probe_now(relay)
        relay.run_once()
    write(engine, row("a", "1"))
    assert drain(relay) == 1
    assert published(parts, topic) == [("a", "1")]


def test_an_event_that_commits_late_is_published_though_later_ones_went_before(
    parts: Parts, engine: Engine, relay: Relay, topic: str
) -> None:
    with database.transaction(engine) as late:
        append(late, [row("late", "1")], shards=2)
        write(engine, row("early", "2"))
        for _ in range(5):
            probe_now(relay)
            relay.run_once()
        assert published(parts, topic) == [("early", "2")]
        late.commit()
    assert drain(relay) == 1
    assert dict(published(parts, topic)) == {"early": "2", "late": "1"}


def test_the_lower_bound_follows_as_far_as_no_insert_is_under_way(engine: Engine, relay: Relay, topic: str) -> None:
    write(engine, *[row("a", str(n)) for n in range(10)])
    for _ in range(3):
        probe_now(relay)
        relay.run_once()
    assert min(relay._bound.shards.values()) == 10
    with database.transaction(engine) as late:
        append(late, [row("late", "11")], shards=2)
        write(engine, *[row("a", str(n)) for n in range(10)])
        for _ in range(5):
            probe_now(relay)
            relay.run_once()
        assert max(relay._bound.shards.values()) == 10, "the bound must not pass what may still be committed"
        late.commit()
    for _ in range(4):
        probe_now(relay)
        relay.run_once()
    assert min(relay._bound.shards.values()) == 21


def test_an_old_transaction_elsewhere_does_not_keep_the_bound_back(
    settings: Settings, engine: Engine, relay: Relay, topic: str
) -> None:
    with psycopg.connect(settings.database_dsn) as old:
        old.execute("SELECT txid_current()")
        old.execute("SELECT count(*) FROM outbox")
        write(engine, *[row("a", str(n)) for n in range(10)])
        for _ in range(4):
            probe_now(relay)
            relay.run_once()
        assert min(relay._bound.shards.values()) == 10


def test_measuring_passes_over_what_was_published_long_ago(engine: Engine, relay: Relay, topic: str) -> None:
    """Dead rows that an old transaction keeps from being vacuumed must not be gone through every second."""
    write(engine, *[row("a", str(n)) for n in range(2_000)])
    drain(relay)
    for _ in range(3):
        probe_now(relay)
        relay.run_once()
    write(engine, row("a", "more"))
    session = relay._session
    assert session is not None
    with session.transaction():
        relay._measure(session)
        asked = session.execute("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'outbox'").fetchone()
    assert asked == (0,)
    assert relay._metrics.backlog._value.get() == 1


def test_many_writers_lose_nothing_and_keep_the_order_of_each_key(
    parts: Parts, engine: Engine, relay: Relay, topic: str
) -> None:
    keys, writers, each = [f"k{n}" for n in range(8)], 6, 60
    locks = {key: threading.Lock() for key in keys}
    counts = dict.fromkeys(keys, 0)

    def write_some(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(each):
            key = chance.choice(keys)
            # The lock stands for the one on the aggregate: taken first, held until the commit.
            with locks[key], database.transaction(engine) as tx:
                counts[key] += 1
                append(tx, [row(key, str(counts[key]))], shards=2)
                threading.Event().wait(chance.random() * 0.01)
                tx.commit()

    threads = [threading.Thread(target=write_some, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    sent = 0
    while any(thread.is_alive() for thread in threads):
        sent += relay.run_once()
    sent += drain(relay)
    assert sent == writers * each
    expected = {key: [str(n + 1) for n in range(count)] for key, count in counts.items() if count}
    assert by_key(published(parts, topic)) == expected


def test_a_rolled_back_event_is_never_published(parts: Parts, engine: Engine, relay: Relay, topic: str) -> None:
    with database.transaction(engine) as tx:
        append(tx, [row("a", "never")], shards=2)
    write(engine, row("a", "1"))
    drain(relay)
    assert published(parts, topic) == [("a", "1")]


def test_after_a_full_batch_an_empty_outbox_is_not_asked_without_a_pause(
    settings: Settings, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, stop = [relay._limit, 0, 0, 0], threading.Event()
    waits: list[float] = []

    def run_once() -> int:
        if len(published) == 1:
            stop.set()
        return published.pop(0)

    monkeypatch.setattr(relay, "run_once", run_once)
    monkeypatch.setattr(relay._wake, "wait", waits.append)
    relay.run(stop)
    poll = settings.relay_poll_seconds
    assert waits == [poll, 2 * poll, 4 * poll]


def test_the_number_of_shards_is_chosen_once(engine: Engine) -> None:
    with database.transaction(engine) as tx:
        outbox.require_shards(tx, 2)
        outbox.fix_shards(tx, 2)
        outbox.fix_shards(tx, 2)
        with pytest.raises(outbox.ShardsChanged, match="2 shards for good; WEIR_OUTBOX_SHARDS says 3"):
            outbox.fix_shards(tx, 3)


def test_the_age_of_the_oldest_event_grows_while_the_relay_is_held_up(engine: Engine, relay: Relay, topic: str) -> None:
    def age() -> float:
        (metric,) = relay._metrics.oldest_age.collect()
        return metric.samples[0].value

    session = relay._open()
    relay._lead(session)
    write(engine, row("a", "1"))
    relay._measure(session)
    first = age()
    wait_until(lambda: age() > first > 0)
    drain(relay)
    relay._measure(session)
    assert age() == 0


def test_each_shard_has_one_leader_and_another_takes_over_when_it_is_gone(
    settings: Settings, engine: Engine, relay: Relay, topic: str
) -> None:
    relay.run_once()
    assert set(relay._bound.shards) == {0, 1}
    second = new_relay(settings)
    assert second.run_once() == 0
    assert second._bound.shards == {}
    relay.close()
    write(engine, row("a", "1"))
    second._due.clear()
    assert second.run_once() == 1
    second.close()


def test_a_leader_that_stands_still_loses_its_shards_and_sends_in_order_when_it_wakes_up(
    parts: Parts, settings: Settings, engine: Engine, relay: Relay, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "IDLE_LEADER_TIMEOUT", "500ms")
    relay.run_once()
    monkeypatch.undo()
    second = new_relay(settings)
    write(engine, row("a", "1"), row("a", "2"))

    def takes_over() -> bool:
        second._due.pop("lead", None)
        second.run_once()
        return set(second._bound.shards) == {0, 1}

    wait_until(takes_over)
    drain(second)
    with pytest.raises(psycopg.Error):
        relay.run_once()
    relay.close()
    assert relay.run_once() == 0
    second.close()
    assert by_key(published(parts, topic)) == {"a": ["1", "2"]}


def test_a_machine_that_vanishes_is_noticed_at_both_ends(engine: Engine, relay: Relay) -> None:
    relay.run_once()
    assert relay._session is not None
    with engine.connect() as tx:
        driver = tx.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        for session in (relay._session, driver):
            with socket.socket(fileno=os.dup(session.fileno())) as end:
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert session.execute("SHOW tcp_keepalives_idle").fetchone() == ("10",)


def test_what_kafka_never_takes_is_parked_with_what_follows_it_and_sent_in_order_on_release(
    parts: Parts, engine: Engine, relay: Relay, topic: str
) -> None:
    missing = "test.not-made-yet.v1"
    parts.delete_topics([missing])
    write(engine, row("a", "1", missing), row("a", "2", missing), row("a", "3"), row("b", "4", missing))
    wait_until(lambda: relay.run_once() >= 0 and len(list_parked(engine)) == 2, seconds_max=60)
    assert [(t, key, count) for t, key, count, _ in list_parked(engine)] == [(missing, "a", 2), (missing, "b", 1)]
    assert set(published(parts, topic)) == {("a", "3")}, "another topic of the same key is not held up"
    write(engine, row("a", "5", missing))
    drain(relay)
    assert list_parked(engine)[0][2] == 3, "what follows joins what waits"
    parts.create_topics([missing], partitions=4)
    with database.transaction(engine) as tx:
        assert outbox.request_release(tx, missing, "a") == 3
        tx.commit()
    write(engine, row("a", "6", missing))
    relay._due.clear()
    drain(relay)
    assert by_key(published(parts, missing)) == {"a": ["1", "2", "5", "6"]}
    parts.delete_topics([missing])


def test_a_relay_that_starts_anew_knows_what_was_parked(
    parts: Parts, settings: Settings, engine: Engine, relay: Relay, topic: str
) -> None:
    missing = "test.not-made-yet.v1"
    parts.delete_topics([missing])
    write(engine, row("a", "1", missing))
    wait_until(lambda: relay.run_once() >= 0 and len(list_parked(engine)) == 1, seconds_max=60)
    relay.close()
    write(engine, row("a", "2", missing))
    second = new_relay(settings)
    second.run_once()
    assert list_parked(engine)[0][2] == 2
    second.close()


def test_an_event_too_large_for_kafka_is_refused_before_it_is_written() -> None:
    with pytest.raises(outbox.ValueTooLarge):
        outbox.require_size(row("a", "x" * (outbox.RECORD_BYTES_MAX + 1)))


def test_the_largest_events_that_may_be_written_are_taken_by_kafka(
    parts: Parts, engine: Engine, relay: Relay, topic: str
) -> None:
    def largest(headers: dict[str, str]) -> OutboxRow:
        empty = OutboxRow(topic=topic, key="a", value=b"", headers=headers)
        return replace(empty, value=secrets.token_bytes(outbox.RECORD_BYTES_MAX - outbox.size_of(empty)))

    rows = [largest({"ce_id": "1"}), largest({"ce_id": "2", "long": "\N{BULLET}" * 200_000})]
    for each in rows:
        outbox.require_size(each)
    write(engine, *rows)
    drain(relay)
    assert len(published(parts, topic)) == 2
    assert list_parked(engine) == []


def test_kafka_connect_could_take_the_relays_place(engine: Engine, relay: Relay) -> None:
    write(engine, OutboxRow(topic="t", key="k", value=b"v", headers={"ce_id": ids.new(), "ce_type": "T"}))
    with database.transaction(engine) as tx:
        ((topic_name, key, kind, payload),) = database.fetch(
            tx, "SELECT aggregatetype, aggregateid, type, payload FROM outbox_debezium", binary=True
        )
    assert (topic_name, key, kind, payload) == ("t", "k", "T", b"v")


def list_parked(engine: Engine) -> list[tuple[str, str, int, str]]:
    with database.transaction(engine) as tx:
        return outbox.list_parked(tx)
