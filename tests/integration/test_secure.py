"""Secure parts: nobody comes in without TLS and a password, and who is refused waits and loses nothing."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.cimpl import NewTopic
from pydantic import SecretStr

from chaos.installation import Installation
from chaos.shop import Shop
from demo.story import Kind
from libs.common import ids, kafka, outbox
from libs.common.codec import Codec
from libs.common.errors import Outage
from libs.common.kafka import client_config
from libs.common.outbox import OutboxRow
from libs.common.registry import Registry
from libs.common.service import Runtime
from libs.common.settings import Settings
from libs.common.writes import writing
from stack.certificates import Authority
from stack.kafka import access
from stack.settings import StackSettings
from stack.stack import Stack
from tests.parts import TEST_FOLDER, TEST_PORT_BASE, Parts
from tests.serving import counts, listening, running
from tests.tally.events import INCREMENT, REPORT, CounterIncremented
from tests.tally.service import service
from tests.waiting import wait_for, wait_until

HOST = "127.0.0.1"
SNAPSHOTS = "SELECT kind::text FROM entities WHERE risk IS NOT NULL ORDER BY 1"
"""Of which parties the features worker has told fraud what their labels say."""
REFUSALS = {
    "wrong password": r"invalid credentials",
    "wrong authority": r"certificate verify failed",
    "without TLS": r"Broker transport failure|brokers are down|Timed out|timed out",
}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Everything as `WEIR_STACK_SECURE=1 make up` starts it."""
    folder = TEST_FOLDER.with_name(f"{TEST_FOLDER.name}-secure")
    installation = Installation(folder, TEST_PORT_BASE + 600, is_secure=True)
    installation.down()
    try:
        installation.up()
        yield installation
    finally:
        installation.down()


@pytest.fixture(scope="module")
def secured(installation: Installation) -> StackSettings:
    """The broker's two more users, the tally and the meter, with their topics."""
    settings = installation.settings
    access.set_passwords(settings, ("tally", "meter"))
    access.allow(settings, [*access.rights("tally", [INCREMENT.name]), *access.rights("meter", [REPORT.name])])
    admin = access.admin(settings)
    for future in admin.create_topics([NewTopic(INCREMENT.name, 2, 1)], operation_timeout=30).values():
        future.result(30)
    return settings


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that has vouched for none of the parts."""
    authority = Authority(tmp_path_factory.mktemp("stranger"))
    authority.issue("nobody", [HOST])
    return authority.certificate


@pytest.fixture(scope="module")
def tally(secured: StackSettings) -> Iterator[Runtime]:
    with Parts(Stack(secured)).database("tally") as url:
        settings = Settings(
            database_url=url,
            partitions=2,
            outbox_shards=1,
            consumer_session_timeout_ms=3_000,
            **dict(secured.messaging("tally")),
        )
        runtime = Runtime(service(), settings)
        runtime.migrate()
        Registry(settings).register(CounterIncremented.contract)
        runtime.codec.prepare(runtime.handlers.writes)
        yield runtime
        runtime.engine.dispose()


def another(runtime: Runtime, **changes: Any) -> Runtime:
    """The same service, in a process that was told something else."""
    return Runtime(runtime.service, runtime.settings.model_copy(update=changes))


def refused(refusal: str, stranger: Path) -> dict[str, Any]:
    changes: dict[str, dict[str, Any]] = {
        "wrong password": {"kafka_password": SecretStr("not-this-one")},
        "wrong authority": {"kafka_ca": stranger},
        "without TLS": {"kafka_security_protocol": "PLAINTEXT", "kafka_password": None, "kafka_user": None},
    }
    return changes[refusal]


def publish(secured: StackSettings, counter_id: str, by: int) -> None:
    """As a service of another house, with a user of its own."""
    settings = secured.messaging("meter")
    codec = Codec(Registry(settings), [CounterIncremented])
    codec.prepare([CounterIncremented])
    producer = Producer(client_config(settings))
    headers = {"ce_id": ids.new(), "ce_source": "/weir/meter"}
    value = codec.encode(CounterIncremented(counter_id=counter_id, by=by))
    producer.produce(INCREMENT.name, value, counter_id, headers=list(headers.items()))
    assert producer.flush(20) == 0


def reported(secured: StackSettings) -> int:
    """How many reports lie on the tally's topic, as who may read it counts them."""
    bounds = kafka.log_bounds(secured.messaging("meter"), [(REPORT.name, 0), (REPORT.name, 1)])
    return sum(end for _, end in bounds.values())


def test_a_journey_over_encrypted_and_known_connections(installation: Installation) -> None:
    shop = Shop(installation)
    shop.open()
    settled = _settled(installation, shop)
    label = {"labels": [{"payment_id": settled, "label": "fraud"}]}
    headers = {**installation.authorization, "Idempotency-Key": ids.new()}
    reported = httpx.post(f"{installation.url('fraud')}/v1/labels", json=label, headers=headers, timeout=30)
    assert reported.status_code == 200, reported.text
    # By Faust, which has ways of its own to come in: from fraud's topics to its table, and back as a snapshot for each.
    wait_for(lambda: installation.rows("fraud", SNAPSHOTS), [("creditor",), ("debtor",)], seconds_max=60)
    # As the operator: every topic is read, and asked about.
    installation.come_to_rest()
    for words in ("health", "reconcile"):
        status, told = installation.operate(words)
        assert status == 0, told


def _settled(installation: Installation, shop: Shop) -> str:
    """A payment that was. Not each is: what looks odd waits for people."""
    ordered: list[str] = []

    def settled() -> list[str]:
        rows = installation.rows("payments", "SELECT payment_id::text FROM payments WHERE state = 'settled'")
        return [payment_id for (payment_id,) in rows if payment_id in ordered]

    def is_one_settled() -> bool:
        ordered.append(shop.pay(kind=Kind.GOOD))
        return bool(settled())

    wait_until(is_one_settled, seconds_max=60, every_seconds=1.0)
    return settled()[0]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_who_is_refused_by_kafka_waits_and_loses_nothing(
    secured: StackSettings, tally: Runtime, stranger: Path, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, published = counts(tally, "inbox"), reported(secured)
    publish(secured, refusal, 1)
    _wait_in_outbox(tally, refusal)
    stranger_to_kafka = another(tally, **refused(refusal, stranger))
    with caplog.at_level(logging.INFO), running(stranger_to_kafka.relay.run, stranger_to_kafka.consumer.run):
        relay, consumer = stranger_to_kafka.relay, stranger_to_kafka.consumer
        wait_until(lambda: relay._sender.is_stalled and consumer._is_broker_away, seconds_max=60)
        assert not relay.is_ready
        assert not consumer.is_ready
    told = " ".join(record.getMessage() for record in caplog.records)
    assert any(words in told for words in (REFUSALS[refusal], "closed by peer"))
    tables = ("outbox", "outbox_parked", "dead_letters", "inbox")
    assert counts(tally, *tables) == {"outbox": 1, "outbox_parked": 0, "dead_letters": 0, **before}
    mended = another(tally)
    with running(mended.relay.run, mended.consumer.run):
        wait_until(lambda: reported(secured) == published + 2, seconds_max=60)
    assert counts(tally, "outbox", "dead_letters", "inbox") == {
        "outbox": 0, "dead_letters": 0, "inbox": before["inbox"] + 1
    }  # fmt: skip


def _wait_in_outbox(tally: Runtime, key: str) -> None:
    def append(tx: Any) -> None:
        with writing(tx) as writes:
            outbox.append(writes, [OutboxRow(topic=REPORT.name, key=key, value=b"v", headers={"ce_id": key})], shards=1)

    tally.unit.administer(append)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_operator_is_told_why_kafka_refuses(
    tally: Runtime, stranger: Path, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "_TIMEOUT_SECONDS", 3)
    settings = tally.settings.model_copy(update=refused(refusal, stranger))
    with pytest.raises(Outage, match=REFUSALS[refusal]):
        kafka.create_topics(settings, "tally", [REPORT.name])
    with pytest.raises(Outage, match=REFUSALS[refusal]):
        kafka.log_bounds(settings, [(REPORT.name, 0)])


def test_a_user_may_ask_how_long_what_it_reads_is_kept(tally: Runtime) -> None:
    assert kafka.retention(kafka.Admin(tally.settings), [INCREMENT.name]) is None
    with pytest.raises(Outage, match=r"(?i)authorization"):
        kafka.retention(kafka.Admin(tally.settings), ["payments.payment.v1"])


def test_a_user_writes_only_what_bears_its_name_and_reads_only_what_it_is_to(secured: StackSettings) -> None:
    failures: list[KafkaError | None] = []

    def note(error: KafkaError | None, _: Message) -> None:
        failures.append(error)

    producer = Producer(client_config(secured.messaging("tally")))
    producer.produce(INCREMENT.name, b"forged", "a", on_delivery=note)
    producer.flush(20)
    assert [failure and failure.code() for failure in failures] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    curious = Consumer({**client_config(secured.messaging("tally")), "group.id": "tally"})
    curious.subscribe(["payments.payment.v1"])
    found: list[Message] = []

    def is_answered() -> bool:
        found.extend(curious.consume(1, 1))
        return bool(found)

    wait_until(is_answered, seconds_max=30)
    curious.close()
    assert [error.code() for record in found if (error := record.error())] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "not-this-one"}, "password authentication failed"),
        ({"sslmode": "disable"}, "no encryption"),
        ({"sslrootcert": "stranger"}, "certificate verify failed"),
        ({"host": "elsewhere", "hostaddr": HOST}, "does not match host name"),
    ],
    ids=["wrong password", "without TLS", "wrong authority", "another's certificate"],
)
def test_a_database_that_can_not_be_trusted_or_does_not_trust_is_an_outage(
    tally: Runtime, stranger: Path, change: dict[str, str], told: str
) -> None:
    url = tally.settings.database
    query = {name: str(stranger) if name == "sslrootcert" else value for name, value in change.items()}
    url = url.set(password=query.pop("password", url.password), host=query.pop("host", url.host))
    url = url.update_query_dict(query)
    settings = Settings(database_url=url.render_as_string(hide_password=False))
    runtime = Runtime(tally.service, settings)
    with pytest.raises(Outage, match=told) as refusal:
        runtime.unit.administer(lambda tx: None)
    assert "not-this-one" not in str(refusal.value)
    runtime.engine.dispose()


def test_a_database_is_verified_by_setting_alone(secured: StackSettings, tally: Runtime, stranger: Path) -> None:
    address = tally.settings.database.difference_update_query(["sslmode", "sslrootcert"])
    bare = Settings(database_url=address.render_as_string(hide_password=False))
    for authority, is_trusted in ((secured.authority.certificate, True), (stranger, False)):
        runtime = Runtime(tally.service, bare.model_copy(update={"database_ca": authority}))
        if is_trusted:
            assert counts(runtime, "counters")["counters"] >= 0
        else:
            with pytest.raises(Outage, match="certificate verify failed"):
                counts(runtime, "counters")
        runtime.engine.dispose()


def test_a_registry_that_can_not_be_trusted_is_an_outage(secured: StackSettings, stranger: Path) -> None:
    settings = secured.messaging("tally")
    assert Registry(settings).id_of(CounterIncremented.contract)
    for change, told in (
        ({"registry_ca": stranger}, "certificate verify failed"),
        ({"registry_ca": None}, "certificate verify failed"),
        ({"registry_url": settings.registry_url.replace("https", "http")}, "does not answer"),
    ):
        with pytest.raises(Outage, match=told):
            Registry(settings.model_copy(update=change)).id_of(CounterIncremented.contract)


def test_requests_are_taken_over_tls_where_a_process_has_a_certificate(tally: Runtime, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("api", [HOST])
    files = {"http_certificate": authority.chain("api"), "http_key": authority.key("api")}
    with listening(another(tally, **files), is_edge_at_work=False) as address:
        trusted = ssl.create_default_context(cafile=authority.certificate)
        assert httpx.get(f"{address}/health", verify=trusted).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            httpx.get(f"{address}/health")
