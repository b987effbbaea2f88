"""The Faust application: two topics in, one table, one topic out. What it may be trusted with is in the README.

At least once, one label at a time, no autodiscovery, no web server, no leader topic. Its table's
values say which labels they have counted, so that a label that comes again is not counted again.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from typing import Any

import faust
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.sensors import Sensor

from libs.common.message import Source
from libs.common.outbox import OutboxRow
from libs.common.service import Runtime
from schemas.fraud.events import RISK
from services.fraud.features import TOPICS
from services.fraud.features.counter import LabelCounter
from services.fraud.features.log import Continuity, Place
from services.fraud.features.metrics import FeaturesMetrics
from services.fraud.features.watchdog import Pulse, end_process
from services.fraud.settings import FraudSettings

APP_ID = "fraud-features"
TABLE = "risk"
TICK_SECONDS = 0.2
REQUEST_SECONDS_MAX = 30.0

log = logging.getLogger(__name__)


def create(runtime: Runtime, continuity: Continuity, pulse: Pulse, metrics: FeaturesMetrics) -> faust.App:
    """The application, ready to be run by a worker."""
    settings = runtime.settings
    assert isinstance(settings, FraudSettings)
    app = _configured(settings)
    app.sensors.add(_Lossless())
    # All have as many partitions as the table: Faust then gives a partition of each, and the table's, to one worker.
    labels = app.topic(*TOPICS, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    risks = app.topic(RISK.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=settings.partitions)

    async def publish(row: OutboxRow) -> None:
        headers = [(name, value.encode()) for name, value in row.headers.items()]
        await risks.send(key=row.key.encode(), value=row.value, headers=headers)

    counter = LabelCounter(
        runtime,
        continuity=continuity,
        table=table,
        publish=publish,
        generation=settings.features_generation,
        pulse=pulse,
        metrics=metrics,
    )

    async def count_labels(stream: Any) -> None:
        async for event in stream.events():
            await counter.handle(_source(event.message))

    async def show_that_the_loop_runs() -> None:
        while not app.should_stop:
            places = _places_of_labels(app.consumer.assignment())
            is_running = bool(places) and not app.rebalancing and not app.in_recovery
            pulse.tick(is_running=is_running, places=places)
            await asyncio.sleep(TICK_SECONDS)

    async def let_go(*arguments: Any, **_: Any) -> None:
        (_, revoked) = arguments
        continuity.forget(_places_of_labels(revoked))

    app.on_partitions_revoked.connect(let_go)
    app.agent(labels, concurrency=1, name="count-labels")(count_labels)
    # Starts when the table has been read back.
    app.task(show_that_the_loop_runs)
    return app


def _places_of_labels(places: Iterable[Any]) -> set[Place]:
    return {(place.topic, place.partition) for place in places if place.topic in TOPICS}


def group_of(generation: int) -> str:
    """The consumer group of a generation, as Faust names it."""
    return APP_ID if generation == 1 else f"{APP_ID}-v{generation}"


def _configured(settings: FraudSettings) -> faust.App:
    return faust.App(
        APP_ID,
        version=settings.features_generation,
        broker=[f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        broker_client_id=f"weir-{APP_ID}",
        broker_commit_interval=settings.features_commit_seconds,
        broker_session_timeout=settings.consumer_session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.consumer_session_timeout_ms / 4000,
        broker_request_timeout=REQUEST_SECONDS_MAX,
        consumer_group_instance_id=settings.features_instance_id,
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication_factor,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
    )


def _credentials(settings: FraudSettings) -> Credentials | None:
    """What `libs.common.kafka.client_config` says, as Faust's client takes it."""
    protocol, password = settings.kafka_security_protocol, settings.kafka_password
    context = ssl.create_default_context(cafile=settings.kafka_ca) if protocol.endswith("SSL") else None
    if password is not None and protocol.startswith("SASL"):
        return SASLCredentials(
            username=settings.kafka_user,
            password=password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return SSLCredentials(context) if context is not None else None


class _Lossless(Sensor):
    """Ends the process when a record can't be sent, before the label it tells of is committed: so it comes again."""

    def on_send_error(self, producer: object, error: BaseException, state: object) -> None:
        log.error("a record could not be sent", extra={"error": str(error)})
        end_process()


def _source(message: Any) -> Source:
    return Source(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(dict(message.headers or {}).items()),
    )
