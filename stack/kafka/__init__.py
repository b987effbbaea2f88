"""Kafka in KRaft mode from its published jars: one node that is broker and controller."""

import secrets
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException

from libs.common.kafka import Admin
from libs.common.settings import MessagingSettings
from stack import maven
from stack.cache import fetch_once
from stack.java import java
from stack.kafka import access
from stack.part import Program, StackError
from stack.settings import REPOSITORY, StackSettings

VERSION = "4.3.1"
_POM = REPOSITORY / "stack" / "kafka" / "pom.xml"


def fetch(settings: StackSettings) -> None:
    """Bring the jars, once."""
    fetch_once(home(settings), lambda draft: maven.copy_dependencies(_POM, into=draft))


def home(settings: StackSettings) -> Path:
    """Where its jars are."""
    return settings.cache / f"kafka-{VERSION}"


def prepare(settings: StackSettings) -> None:
    """Write the configuration and format the log folder, once."""
    folder = settings.folder / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    if settings.is_secure:
        settings.authority.issue(access.BROKER, (settings.host, "localhost"))
    (folder / "server.properties").write_text(properties(settings))
    (folder / "log4j2.properties").write_text(_LOGGING)
    if not (folder / "log" / "meta.properties").exists():
        _format(settings)


def data_folder(settings: StackSettings) -> Path:
    """Where the broker keeps a folder for each partition."""
    return settings.folder / "kafka" / "log"


def program(settings: StackSettings) -> Program:
    folder = settings.folder / "kafka"
    return Program(
        name="kafka",
        command=(
            *_java(settings),
            f"-Xmx{settings.kafka_heap_mb}m",
            f"-Xms{settings.kafka_heap_mb}m",
            "-XX:+UseSerialGC",
            # The better compiler is not worth a core for one of the few minutes that a demo or a test lasts.
            *(("-XX:TieredStopAtLevel=1",) if settings.kafka_compiler == "quick" else ()),
            "kafka.Kafka",
            str(folder / "server.properties"),
        ),
        is_ready=lambda: access.answers(settings) if settings.is_secure else answers(settings.messaging()),
    )


def answers(settings: MessagingSettings) -> bool:
    """Whether a broker answers there."""
    admin = Admin(settings)
    try:
        return bool(admin.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _java(settings: StackSettings) -> tuple[str, ...]:
    logging = settings.folder / "kafka" / "log4j2.properties"
    jars = home(settings)
    return (*java(jars), f"-Dlog4j2.configurationFile={logging}", "-cp", str(jars / "*"))


def _format(settings: StackSettings) -> None:
    folder = settings.folder / "kafka"
    shutil.rmtree(folder / "log", ignore_errors=True)
    # As the tool's own random-uuid makes it, which takes a Java process more: 16 bytes that begin with no hyphen.
    cluster_id = "W" + secrets.token_urlsafe(16)[1:]
    tool = [*_java(settings), "kafka.tools.StorageTool"]
    result = subprocess.run(
        [*tool, "format", "-t", cluster_id, "-c", str(folder / "server.properties"), "--standalone"],
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise StackError(f"Kafka's log folder could not be formatted:\n{result.stdout}{result.stderr}")


def properties(settings: StackSettings) -> str:
    """The broker's configuration."""
    # Events stamped years ago are normal here: topics that keep time-based retention set it themselves.
    # More threads than the machine has cores to spare for them cost more than they bring.
    detour = f",DETOUR://{settings.host}:{settings.kafka_detour_port}" if settings.kafka_detour else ""
    past_proxy = f",DETOUR://{settings.host}:{settings.kafka_proxy_port}" if settings.kafka_detour else ""
    own = f",BROKERS://{settings.host}:{settings.kafka_internal_port}" if settings.is_secure else ""
    security = access.properties(settings) if settings.is_secure else _OPEN
    return f"""
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={settings.host}:{settings.kafka_controller_port}
listeners=CLIENTS://{settings.host}:{settings.kafka_port},CONTROLLER://{settings.host}:{settings.kafka_controller_port}{own}{detour}
advertised.listeners=CLIENTS://{settings.host}:{settings.kafka_port}{own}{past_proxy}
controller.listener.names=CONTROLLER
{security}
log.dirs={data_folder(settings)}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
message.max.bytes=1048588
""".lstrip()


_OPEN = """
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,DETOUR:PLAINTEXT
""".strip()

_LOGGING = """
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.kafka.name=kafka.server.KafkaRaftServer
logger.kafka.level=info
"""
