"""What a reader of our topics may rely on, after everything that the other tests have done to those who write them."""

import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from chaos.installation import Installation
from chaos.shop import Shop
from docs import catalogue
from libs.common.kafka import client_config
from schemas.fraud.events import RISK
from stack.settings import REPOSITORY
from tests.waiting import wait_until

EXAMPLE = REPOSITORY / "docs" / "examples" / "consumer.py"
FOR_EVER, UNTIL_IDLE = "600", "2"
END_SECONDS_MAX = 60
BATCH, READ_SECONDS_MAX = 1_000, 10


def test_the_example_counts_every_settled_payment_once_also_when_it_is_killed_on_the_way(
    installation: Installation, shop: Shop, tmp_path: Path
) -> None:
    state = tmp_path / "totals.db"
    with _example(installation, state, FOR_EVER):
        wait_until(lambda: _totals(state) == _settled(installation), seconds_max=END_SECONDS_MAX, every_seconds=0.2)
        known = _totals(state)
        shop.pay_until(lambda: _totals(state) != known)
    shop.pay_many(10)
    installation.come_to_rest()
    assert _totals(state) != _settled(installation)
    with _example(installation, state, UNTIL_IDLE) as finishing:
        output, _ = finishing.communicate(timeout=END_SECONDS_MAX)
    assert finishing.returncode == 0
    assert _totals(state) == _settled(installation)
    settled = sorted(_settled(installation).items())
    assert output == "".join(
        f"{currency}: {count} payments, {total} minor units\n" for currency, (count, total) in settled
    )


def test_the_events_of_an_aggregate_come_in_the_order_of_their_numbers_without_a_gap(
    installation: Installation, shop: Shop
) -> None:
    # So that at least something lies there twice.
    armed = installation.arm("payments", "relay.after_ack")
    shop.pay_until(lambda: not armed.exists())
    installation.come_to_rest()
    repeated = 0
    last: dict[tuple[str, str], int] = defaultdict(int)
    seen: set[str] = set()
    for topic, headers in _records(installation):
        if headers["ce_id"] in seen:
            repeated += 1
            continue
        seen.add(headers["ce_id"])
        aggregate = topic, headers["ce_subject"]
        number, before = int(headers["ce_sequence"]), last[aggregate]
        assert number == before + 1 or (topic == RISK.name and number > before), (aggregate, headers)
        last[aggregate] = number
    assert repeated


@contextmanager
def _example(installation: Installation, state: Path, idle_seconds: str) -> "Iterator[subprocess.Popen[str]]":
    """The example, running; killed at the end of the block if it still does."""
    settings = installation.settings
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", str(EXAMPLE),
         "--bootstrap", settings.kafka_bootstrap, "--registry", settings.registry_url,
         "--state", str(state), "--idle-seconds", idle_seconds],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield process
    except BaseException:
        # Where it stands is printed to the test's own output.
        process.send_signal(signal.SIGABRT)
        process.wait(END_SECONDS_MAX)
        raise
    finally:
        process.kill()
        process.wait()


def _totals(state: Path) -> dict[str, tuple[int, int]]:
    """What the example has counted, by currency."""
    with sqlite3.connect(state) as connection:
        try:
            rows = connection.execute("SELECT currency, payments, total_minor FROM totals").fetchall()
        except sqlite3.OperationalError:
            rows = []
    connection.close()
    return {currency: (payments, total) for currency, payments, total in rows}


def _settled(installation: Installation) -> dict[str, tuple[int, int]]:
    rows = installation.rows(
        "payments",
        """SELECT body->'order'->>'currency', count(*), sum((body->'settled'->>'amount_minor')::bigint)
             FROM (SELECT state, body::jsonb AS body FROM payments) AS p WHERE state = 'settled' GROUP BY 1""",
    )
    return {currency: (payments, int(total)) for currency, payments, total in rows}


def _records(installation: Installation) -> Iterator[tuple[str, dict[str, str]]]:
    """Topic and headers of every record, of each partition in the order of its log."""
    consumer = Consumer({**client_config(installation.settings.messaging()), "group.id": "weir-order"})
    ends = {}
    for topic in catalogue.topics():
        for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            ends[topic, number] = end
    left = sum(ends.values())
    consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
    while left:
        records = consumer.consume(min(left, BATCH), READ_SECONDS_MAX)
        assert records and not any(record.error() for record in records), f"{left} records did not come"
        for record in records:
            headers: Any = record.headers()
            yield str(record.topic()), {name: value.decode() for name, value in headers}
        left -= len(records)
    consumer.close()
