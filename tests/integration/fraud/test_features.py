"""The features worker, killed and fed with junk: every label is counted exactly once all the same."""

import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from libs.common import ids
from libs.common.kafka import client_config
from libs.common.service import Runtime
from schemas.fraud.events import DEBTOR_LABEL, LABEL, DebtorPaymentLabelled, Label
from services.fraud.__main__ import SERVICE
from services.fraud.domain.labelling import LabelPayment
from services.fraud.features import TOPICS
from services.fraud.reconciliation import Reconciliation, reconcile
from services.fraud.settings import FraudSettings
from stack.services import as_environment
from tests.deciding import decide
from tests.integration.fraud.scene import T0, initiated, order, rows
from tests.parts import METRICS_TOKEN, Parts
from tests.serving import running
from tests.waiting import wait_until

SIGKILLED = -9
START_SECONDS_MAX = 30
LOOK_SECONDS = 0.1
"""Between two questions to the worker or about it: each takes from the processor that it is to work with."""
PARTITIONS = 4
"""Of each of the labels' topics. A start asks the broker for the place in each, one after the other."""

PAYERS = [ids.new() for _ in range(4)]


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
                    **as_environment(settings),
                    "WEIR_HTTP_PORT": str(settings.http_port),
                    "WEIR_FEATURES_GENERATION": str(settings.features_generation),
                    "WEIR_FEATURES_INSTANCE_ID": "one",
                    "WEIR_FEATURES_COMMIT_SECONDS": "1",
                    "WEIR_PARTITIONS": str(settings.partitions),
                    "WEIR_FAULT_POINTS": str(self._fault_points),
                    "APP_DATADIR": str(folder / "faust"),
                },
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self) -> None:
        wait_until(lambda: self._is_ready, seconds_max=START_SECONDS_MAX, every_seconds=LOOK_SECONDS)

    def die_at(self, point: str) -> None:
        """Be killed the next time this point is reached."""
        self._fault_points.with_name(f"{self._fault_points.name}.{point}").touch()

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(_with_token(f"{self.url}/metrics"), timeout=2) as response:
            lines = response.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    def wait_for(self, name: str, value: float) -> None:
        """Until a metric has got so far."""
        wait_until(lambda: self.metric(name) >= value, every_seconds=LOOK_SECONDS)

    @property
    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-4_000:]
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False


def _with_token(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})


class Bench:
    """Fraud with its relay and its consumer running, so that labels go out and snapshots come in."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime = runtime
        self._folder = folder
        self._dice = random.Random(1)
        self._parties: set[tuple[str, str]] = set()
        self._worker: Worker | None = None

    def worker(self) -> Worker:
        """A features worker that is ready: the one that runs, or another if there is none."""
        if self._worker is None or self._worker.process.poll() is not None:
            self._worker = Worker(self.runtime, self._folder)
        self._worker.wait_until_ready()
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.process.kill()
            self._worker.process.wait()

    def pay(self, payees: list[str], count: int) -> list[str]:
        """Payments of fifty days, in any order. One account pays and is paid."""
        dice = self._dice
        hours = (dice.randrange(24 * 50) for _ in range(count))
        sides = (dice.sample([*PAYERS, dice.choice(payees)], 2) for _ in range(count))
        events = [
            initiated(order(debtor, creditor, at=T0 - timedelta(hours=hour)))
            for hour, (debtor, creditor) in zip(hours, sides, strict=True)
        ]
        decide(self.runtime, *events)
        self._parties.update(("debtor", event.order.debtor_account_id) for event in events)
        self._parties.update(("creditor", event.order.creditor_account_id) for event in events)
        return [event.payment_id for event in events]

    def label(self, payment_ids: list[str]) -> None:
        """Label payments at random, and then correct a third of the labels."""
        for part in (payment_ids, self._dice.sample(payment_ids, len(payment_ids) // 3)):
            labels = [Label.FRAUD if self._dice.random() < 0.3 else Label.GENUINE for _ in part]
            commands = [LabelPayment(payment_id=id_, label=label) for id_, label in zip(part, labels, strict=True)]
            decide(self.runtime, *commands)

    def compare(self) -> Reconciliation:
        return self.runtime.unit.administer(reconcile)

    def wait_until_equal(self) -> None:
        """Until every snapshot has seen every label; then each must say what the labels say."""
        wait_until(lambda: not self.compare().behind, seconds_max=30, every_seconds=LOOK_SECONDS)
        found = self.compare()
        assert found == Reconciliation(equal=len(self._parties), behind=[], wrong=[])


def a_label() -> DebtorPaymentLabelled:
    return DebtorPaymentLabelled(
        payment_id=ids.new(),
        debtor_account_id=PAYERS[0],
        creditor_account_id=PAYERS[1],
        label=Label.FRAUD,
        transacted_at=T0,
        labelled_at=T0,
    )


def repeat_labels(runtime: Runtime, topic: str, account_id: str) -> int:
    """Publish an account's labels again, as a relay does that died before it could forget what it had sent."""
    bootstrap = client_config(runtime.settings)
    reader = Consumer({**bootstrap, "group.id": "repeat", "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    writer, ended, repeated = Producer(bootstrap), 0, 0
    while ended < PARTITIONS:
        for record in reader.consume(100, 1):
            if record.error():
                ended += 1
            elif record.key() == account_id.encode():
                headers: Any = record.headers()
                writer.produce(topic, record.value(), record.key(), headers=headers, partition=record.partition() or 0)
                repeated += 1
    reader.close()
    writer.flush(10)
    return repeated


@pytest.fixture(scope="module")
def bench(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    # A generation of its own: what the worker of another run has counted must not be read back.
    generation = random.SystemRandom().randrange(1, 2**20)
    with parts.runtime(
        SERVICE,
        http_port=parts.settings.features_port,
        features_generation=generation,
        batch_size_max=200,
        partitions=PARTITIONS,
    ) as runtime:
        parts.create_topics(TOPICS, partitions=PARTITIONS)
        with running(runtime.relay.run, runtime.consumer.run):
            found = Bench(runtime, tmp_path_factory.mktemp("features"))
            try:
                yield found
            finally:
                found.close()
        parts.delete_topics([*TOPICS, f"fraud-features-v{generation}-risk-changelog"])


@pytest.mark.parametrize("topic", TOPICS)
def test_a_label_that_is_published_twice_is_counted_once(bench: Bench, topic: str) -> None:
    worker = bench.worker()
    bench.label(bench.pay([ids.new()], 20))
    bench.wait_until_equal()
    counted = worker.metric("fraud_features_labels_total")
    repeated = worker.metric("fraud_features_repeated_labels_total")
    again = repeat_labels(bench.runtime, topic, PAYERS[0])
    assert again > 0
    worker.wait_for("fraud_features_repeated_labels_total", repeated + again)
    assert worker.metric("fraud_features_labels_total") == counted
    bench.wait_until_equal()


def test_every_label_is_counted_exactly_once_however_often_the_worker_is_killed(bench: Bench) -> None:
    payment_ids = bench.pay([ids.new() for _ in range(10)], 600)
    for number, point in enumerate(("features.before_table", "features.after_table", "features.after_snapshot")):
        worker = bench.worker()
        counted = worker.metric("fraud_features_labels_total")
        bench.label(payment_ids[180 * number : 180 * number + 120])
        # It has committed little of it yet: the rest comes again after its death.
        worker.wait_for("fraud_features_labels_total", counted + 120)
        worker.die_at(point)
        bench.label(payment_ids[180 * number + 120 : 180 * number + 180])
        assert worker.process.wait(20) == SIGKILLED
    worker = bench.worker()
    bench.label(payment_ids[540:])
    bench.wait_until_equal()
    # How many depends on when the last worker committed, but its last label at least came again.
    assert worker.metric("fraud_features_repeated_labels_total") > 0
    assert worker.metric("fraud_features_missed_labels_total") == 0


def test_what_can_not_be_counted_is_kept_and_the_rest_is_counted(bench: Bench) -> None:
    payees, worker = [ids.new() for _ in range(5)], bench.worker()
    producer = Producer(client_config(bench.runtime.settings))
    for topic in TOPICS:
        for partition in range(PARTITIONS):
            producer.produce(topic, b"junk", payees[0], partition=partition)
    unnumbered = bench.runtime.codec.encode(a_label())
    producer.produce(DEBTOR_LABEL.name, unnumbered, PAYERS[0])
    producer.flush(10)
    bench.label(bench.pay(payees, 60))
    bench.wait_until_equal()
    worker.wait_for("fraud_features_dead_letters_total", 2 * PARTITIONS + 1)
    kept = rows(bench.runtime, "SELECT topic, value, count(*) FROM dead_letters GROUP BY topic, value", binary=True)
    junk = [(LABEL.name, b"junk", PARTITIONS), (DEBTOR_LABEL.name, b"junk", PARTITIONS)]
    assert sorted(kept) == sorted([*junk, (DEBTOR_LABEL.name, unnumbered, 1)])
    assert worker.metric("fraud_features_missed_labels_total") == 0


def test_a_worker_that_is_asked_to_stop_ends_well(bench: Bench) -> None:
    process = bench.worker().process
    process.terminate()
    assert process.wait(20) == 0
