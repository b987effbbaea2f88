"""The features worker, killed and fed with junk: every label is counted exactly once all the same."""

import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from libs.common import ids
from libs.common.service import Runtime
from schemas.fraud.events import LABEL, Label
from services.fraud.__main__ import SERVICE
from services.fraud.domain.labelling import LabelPayment
from services.fraud.reconciliation import Reconciliation, reconcile
from services.fraud.settings import FraudSettings
from tests.integration.fraud.scene import T0, decide, initiated, order, rows
from tests.parts import Parts
from tests.serving import running
from tests.waiting import wait_until

SIGKILLED = -9
START_SECONDS_MAX = 30
PARTITIONS = 24

ANN = ids.new()


class Worker:
    """The features worker as a process of its own, as it runs in production."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        settings = runtime.settings
        assert isinstance(settings, FraudSettings)
        self.url = f"http://127.0.0.1:{settings.http_port}"
        self._log = folder / "features.log"
        self._fault_points = folder / "features"
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.fraud", "features"],
                env={
                    **os.environ,
                    "WEIR_DATABASE_URL": settings.database_url,
                    "WEIR_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
                    "WEIR_REGISTRY_URL": settings.registry_url,
                    "WEIR_HTTP_PORT": str(settings.http_port),
                    "WEIR_FEATURES_GENERATION": str(settings.features_generation),
                    "WEIR_FEATURES_INSTANCE_ID": "one",
                    "WEIR_FEATURES_COMMIT_SECONDS": "1",
                    "WEIR_FAULT_POINTS": str(self._fault_points),
                },
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self) -> None:
        wait_until(lambda: self._is_ready, seconds_max=START_SECONDS_MAX)

    def die_at(self, point: str) -> None:
        """Be killed the next time this point is reached."""
        self._fault_points.with_name(f"{self._fault_points.name}.{point}").touch()

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=2) as response:
            lines = response.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    @property
    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-4_000:]
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False


class Bench:
    """Fraud with its relay and its consumer running, so that labels go out and snapshots come in."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime = runtime
        self._folder = folder
        self._dice = random.Random(1)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A features worker that is ready. It is gone when the block ends, in whatever way."""
        worker = Worker(self.runtime, self._folder)
        try:
            worker.wait_until_ready()
            yield worker
        finally:
            worker.process.kill()
            worker.process.wait()

    def pay(self, payees: list[str], count: int) -> list[str]:
        """Payments of fifty days, in any order."""
        dice = self._dice
        hours = (dice.randrange(24 * 50) for _ in range(count))
        events = [initiated(order(ANN, dice.choice(payees), at=T0 - timedelta(hours=hour))) for hour in hours]
        decide(self.runtime, *events)
        return [event.payment_id for event in events]

    def label(self, payment_ids: list[str]) -> None:
        """Label payments at random, and then correct a third of the labels."""
        for part in (payment_ids, self._dice.sample(payment_ids, len(payment_ids) // 3)):
            labels = [Label.FRAUD if self._dice.random() < 0.3 else Label.GENUINE for _ in part]
            commands = [LabelPayment(payment_id=id_, label=label) for id_, label in zip(part, labels, strict=True)]
            decide(self.runtime, *commands)

    def compare(self) -> Reconciliation:
        return self.runtime.unit.administer(reconcile)

    def wait_until_equal(self, payees: list[str]) -> None:
        """Until every snapshot has seen every label; then each must say what the labels say."""
        wait_until(lambda: not self.compare().behind, seconds_max=30)
        found = self.compare()
        assert found == Reconciliation(equal=len(payees), behind=[], wrong=[])


def repeat_everything(runtime: Runtime) -> None:
    """Publish every label again, as a relay does that died before it could forget what it had sent."""
    bootstrap = {"bootstrap.servers": runtime.settings.kafka_bootstrap}
    reader = Consumer({**bootstrap, "group.id": "repeat", "enable.partition.eof": True})
    reader.assign([TopicPartition(LABEL.name, number, 0) for number in range(PARTITIONS)])
    writer, ended = Producer(bootstrap), 0
    while ended < PARTITIONS:
        for record in reader.consume(100, 1):
            if record.error():
                ended += 1
            else:
                headers: Any = record.headers()
                writer.produce(
                    LABEL.name, record.value(), record.key(), headers=headers, partition=record.partition() or 0
                )
    reader.close()
    writer.flush(10)


@pytest.fixture
def bench(parts: Parts, tmp_path: Path) -> Iterator[Bench]:
    # A generation of its own: what the worker of another test has counted must not be read back.
    generation = random.SystemRandom().randrange(1, 2**20)
    with parts.runtime(
        SERVICE, http_port=parts.settings.features_port, features_generation=generation, batch_size_max=200
    ) as runtime:
        with running(runtime.relay.run, runtime.consumer.run):
            yield Bench(runtime, tmp_path)
        parts.delete_topics([f"fraud-features-v{generation}-creditor-risk-changelog"])


def test_every_label_is_counted_exactly_once_however_often_the_worker_is_killed(bench: Bench) -> None:
    payees = [ids.new() for _ in range(10)]
    payment_ids = bench.pay(payees, 1_000)
    for number, point in enumerate(("features.before_table", "features.after_table", "features.after_snapshot")):
        with bench.worker() as worker:
            bench.label(payment_ids[300 * number : 300 * number + 200])
            # It has commited nothing yet, so whatever it counts now comes again after its death.
            wait_until(lambda worker=worker: worker.metric("fraud_features_labels_total") > 100)  # type: ignore[misc]
            worker.die_at(point)
            bench.label(payment_ids[300 * number + 200 : 300 * number + 300])
            assert worker.process.wait(20) == SIGKILLED
    with bench.worker() as worker:
        bench.label(payment_ids[900:])
        bench.wait_until_equal(payees)
        # How many depends on when the last worker committed, but its last label at least came again.
        assert worker.metric("fraud_features_repeated_labels_total") > 0
        assert worker.metric("fraud_features_missed_labels_total") == 0


def test_a_label_that_is_published_twice_is_counted_once(bench: Bench) -> None:
    payees = [ids.new()]
    with bench.worker() as worker:
        bench.label(bench.pay(payees, 10))
        bench.wait_until_equal(payees)
        labels = worker.metric("fraud_features_labels_total")
        assert labels >= 10
        repeat_everything(bench.runtime)
        wait_until(lambda: worker.metric("fraud_features_repeated_labels_total") == labels)
        assert worker.metric("fraud_features_labels_total") == labels
        bench.wait_until_equal(payees)


def test_what_can_not_be_counted_is_kept_and_the_rest_is_counted(bench: Bench) -> None:
    payees = [ids.new() for _ in range(5)]
    producer = Producer({"bootstrap.servers": bench.runtime.settings.kafka_bootstrap})
    for partition in range(PARTITIONS):
        producer.produce(LABEL.name, b"junk", payees[0], partition=partition)
    producer.flush(10)
    bench.label(bench.pay(payees, 60))
    with bench.worker() as worker:
        bench.wait_until_equal(payees)
        wait_until(lambda: rows(bench.runtime, "SELECT count(*) FROM dead_letters") == [(PARTITIONS,)])
        assert worker.metric("fraud_features_dead_letters_total") == PARTITIONS
        assert worker.metric("fraud_features_missed_labels_total") == 0
        worker.process.terminate()
        assert worker.process.wait(20) == 0
    kept = rows(bench.runtime, "SELECT DISTINCT topic, value FROM dead_letters", binary=True)
    assert kept == [(LABEL.name, b"junk")]
