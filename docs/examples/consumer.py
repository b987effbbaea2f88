"""A reader of Weir's topics that needs nothing of Weir: totals of settled payments, exactly once, over restarts.

    python docs/examples/consumer.py --bootstrap 127.0.0.1:19092 \
        --registry http://127.0.0.1:19081/apis/ccompat/v7 --state totals.db

It keeps totals, the ids it has seen, and its offsets in one SQLite file and changes them in one
transaction: kill it anywhere, start it again, and the totals are right.
"""

import argparse
import sqlite3
import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC = "payments.payment.v1"
SETTLED = "weir.payments.PaymentSettled"
BATCH = 500


def main() -> None:
    options = parse()
    state = open_state(options.state)
    registry = SchemaRegistryClient({"url": options.registry, "timeout": 10})
    decode = AvroDeserializer(registry, conf={"subject.name.strategy.type": "TOPIC"})
    consumer = Consumer({"bootstrap.servers": options.bootstrap, "group.id": "totals", "enable.auto.commit": False})
    assign_where_we_stand(consumer, state)
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < options.idle_seconds:
        records = [record for record in consumer.consume(BATCH, 0.5) if not record.error()]
        if records:
            idle_since = time.monotonic()
            with state:  # one transaction: effects, ids and offsets together
                for record in records:
                    apply(state, record, decode)
                    state.execute(
                        "INSERT OR REPLACE INTO offsets VALUES (?, ?)", (record.partition(), (record.offset() or 0) + 1)
                    )
    for currency, payments, total in state.execute("SELECT * FROM totals ORDER BY currency"):
        print(f"{currency}: {payments} payments, {total} minor units")
    consumer.close()


def apply(state: sqlite3.Connection, record, decode: AvroDeserializer) -> None:  # type: ignore[no-untyped-def]
    """Count a settled payment, unless this very event was counted before."""
    headers = dict(record.headers())
    if headers["ce_type"].decode() != SETTLED:
        return
    is_new = state.execute("INSERT OR IGNORE INTO seen VALUES (?)", (headers["ce_id"].decode(),)).rowcount
    if is_new:
        event: Any = decode(record.value(), SerializationContext(TOPIC, MessageField.VALUE))
        state.execute(
            """INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (currency)
               DO UPDATE SET payments = payments + 1, total_minor = total_minor + excluded.total_minor""",
            (event["currency"], event["amount_minor"]),
        )


def assign_where_we_stand(consumer: Consumer, state: sqlite3.Connection) -> None:
    """Begin where the last transaction ended; with an empty state, at the start of the log."""
    known = dict(state.execute("SELECT * FROM offsets"))
    partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, number, known.get(number, 0)) for number in partitions])


def open_state(path: str) -> sqlite3.Connection:
    state = sqlite3.connect(path)
    state.executescript(
        """CREATE TABLE IF NOT EXISTS totals (currency TEXT PRIMARY KEY, payments INTEGER, total_minor INTEGER);
           CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY);
           CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, next_offset INTEGER);"""
    )
    return state


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bootstrap", default="127.0.0.1:19092")
    parser.add_argument("--registry", default="http://127.0.0.1:19081/apis/ccompat/v7")
    parser.add_argument("--state", default="totals.db")
    parser.add_argument("--idle-seconds", type=float, default=5.0, help="stop after so long without a new record")
    return parser.parse_args()


if __name__ == "__main__":
    main()
