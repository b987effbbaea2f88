"""The real parts that tests run on: one broker, one registry, one Postgres; a fresh database for whoever asks."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.cimpl import NewTopic
from psycopg import sql
from sqlalchemy.engine import make_url

from libs.common.dead_letters import topic_of as dead_letter_topic_of
from libs.common.events import Event
from libs.common.kafka import Admin, log_bounds
from libs.common.service import Runtime, Service
from libs.common.settings import MessagingSettings
from stack import postgres
from stack.services import PARTITIONS
from stack.settings import REPOSITORY, StackSettings
from stack.stack import DOCKER, Stack
from tests import containers
from tests.waiting import wait_until

TEST_FOLDER = Path(os.environ.get("WEIR_TEST_FOLDER", REPOSITORY / ".weir" / "test"))
TEST_PORT_BASE = int(os.environ.get("WEIR_TEST_PORT_BASE", 29_000))
"""Apart from where `make up` puts its own, so that both can run at once."""
_TRIES_MAX = 3
METRICS_TOKEN = secrets.token_hex()


class Owned(NamedTuple):
    """A database, by the name that its owner has as well, who enters it with the password."""

    name: str
    password: str


class Parts:
    """Where the real parts are, and how to get a clean piece of each."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.settings = stack.settings
        self._admin = Admin(self.messaging)
        self._templates: dict[Path, Owned] = {}
        self._registered: set[type[Event]] = set()
        self._made: dict[str, tuple[int, int]] = {}
        """Topics as they were made here: their partitions, and their retention in milliseconds."""

    @property
    def messaging(self) -> MessagingSettings:
        """Broker and registry, as one who may do everything finds them."""
        return self.settings.messaging()

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A new, empty database with an owner of its own; gone afterwards. Yields its SQLAlchemy address."""
        unique, password = f"{name}_{secrets.token_hex(4)}", secrets.token_hex(8)
        with psycopg.connect(postgres.admin_dsn(self.settings), autocommit=True) as connection:
            postgres.create_role(connection, unique, password=password)
            postgres.create_database(connection, unique, owner=unique)
            try:
                yield self.settings.address(unique, unique, password)
            finally:
                connection.execute(f'DROP DATABASE "{unique}" WITH (FORCE)'.encode())
                connection.execute(f'DROP ROLE "{unique}"'.encode())

    @contextmanager
    def migrated_database(self, service: Service) -> Iterator[str]:
        """A service's database as its migrations make it, copied; gone afterwards. Yields its SQLAlchemy address.

        All copies have one owner. To migrate each anew would take tests longer than what they are there for.
        """
        template = self._templates.get(service.folder) or self._make_template(service)
        name = f"{service.name}_{secrets.token_hex(4)}"
        # By files, since the other way, which writes every page to the log, takes twice the CPU.
        copy = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY")
        with psycopg.connect(postgres.admin_dsn(self.settings), autocommit=True) as connection:
            connection.execute(copy.format(*map(sql.Identifier, (name, template.name, template.name))))
            try:
                yield self.settings.address(name, template.name, template.password)
            finally:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def _make_template(self, service: Service) -> Owned:
        made = Owned(f"{service.name}_{secrets.token_hex(4)}_template", secrets.token_hex(8))
        with psycopg.connect(postgres.admin_dsn(self.settings), autocommit=True) as connection:
            postgres.create_role(connection, made.name, password=made.password)
            postgres.create_database(connection, made.name, owner=made.name)
        self._templates[service.folder] = made
        with self._wired(service, self.settings.address(made.name, made.name, made.password)) as runtime:
            self._migrate(runtime)
        return made

    def _migrate(self, runtime: Runtime) -> None:
        runtime.migrate()
        self._registered.update(runtime.handlers.writes)

    @contextmanager
    def _wired(self, service: Service, database_url: str, **overrides: Any) -> Iterator[Runtime]:
        given = {**dict(self.messaging), "metrics_token": METRICS_TOKEN, "partitions": PARTITIONS, **overrides}
        runtime = Runtime(service, service.settings(database_url=database_url, **given))
        try:
            yield runtime
        finally:
            runtime.stop.set()
            # Whoever is connected to a database keeps it from being copied.
            runtime.engine.dispose()

    def close(self) -> None:
        """Leave nothing behind."""
        with psycopg.connect(postgres.admin_dsn(self.settings), autocommit=True) as connection:
            for made in self._templates.values():
                connection.execute(f'DROP DATABASE "{made.name}" WITH (FORCE)'.encode())
                connection.execute(f'DROP ROLE "{made.name}"'.encode())
        self._templates.clear()

    @contextmanager
    def role(self, database_url: str, suffix: str) -> Iterator[str]:
        """One more role for such a database, which may do nothing there yet; gone afterwards. Yields its address."""
        database, password = make_url(database_url).database or "", secrets.token_hex(8)
        name = f"{database}{suffix}"
        with psycopg.connect(postgres.admin_dsn(self.settings, database), autocommit=True) as connection:
            postgres.create_role(connection, name, password=password)
            try:
                yield self.settings.address(database, name, password)
            finally:
                connection.execute(f'DROP OWNED BY "{name}"'.encode())
                connection.execute(f'DROP ROLE "{name}"'.encode())

    def empty(self, runtime: Runtime, *tables: str) -> None:
        """Delete all rows of these tables of a service's database, whatever guards them.

        Not by TRUNCATE, which makes every table and index a new file: for tests of a few rows that takes longest.
        """
        deletions = "".join(f"DELETE FROM {table};" for table in tables)
        database = make_url(runtime.settings.database_url).database or ""
        with psycopg.connect(postgres.admin_dsn(self.settings, database)) as connection:
            connection.execute("SET session_replication_role = replica")
            # Whoever is still writing ends first.
            connection.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE; {deletions}".encode())

    def create_topics(self, names: Sequence[str], *, partitions: int = PARTITIONS, retention_ms: int = -1) -> None:
        """Make topics anew, without what they held."""
        for tries_left in reversed(range(_TRIES_MAX)):
            self.delete_topics(names)
            try:
                self._create_topics(names, partitions, retention_ms)
                return
            except KafkaException as error:
                # A busy broker tells of a topic as gone that isn't yet; and makes one of which the client, for want of
                # an answer, asks again.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS or not tries_left:
                    raise

    def _create_topics(self, names: Sequence[str], partitions: int, retention_ms: int) -> None:
        config = {"retention.ms": str(retention_ms)}
        topics = [NewTopic(name, num_partitions=partitions, replication_factor=1, config=config) for name in names]
        for future in self._admin.create_topics(topics, operation_timeout=30).values():
            future.result(30)
        # A busy broker has made a topic before it tells of it.
        wait_until(lambda: set(names) <= set(self._admin.list_topics(timeout=10).topics))
        self._made.update(dict.fromkeys(names, (partitions, retention_ms)))

    def _have_empty_topics(self, names: set[str], *, retention_ms: int) -> None:
        """Make those topics anew to which anything was ever written: each is folders and files for the broker."""
        shape = (PARTITIONS, retention_ms)
        known = {name for name in names & set(self.topics()) if self._made.get(name) == shape}
        bounds = log_bounds(self.messaging, [(name, number) for name in known for number in range(PARTITIONS)])
        used = {name for (name, _), (_, end) in bounds.items() if end}
        if unfit := names - known | used:
            self.create_topics(sorted(unfit), retention_ms=retention_ms)

    def topics(self) -> list[str]:
        """The names of all topics but the broker's own."""
        return sorted(name for name in self._admin.list_topics(timeout=10).topics if not name.startswith("_"))

    def delete_topics(self, names: Sequence[str]) -> None:
        """Remove topics, if they are there."""
        existing = set(self._admin.list_topics(timeout=10).topics) & set(names)
        if existing:
            for name in existing:
                self._made.pop(name, None)
            for future in self._admin.delete_topics(sorted(existing), operation_timeout=30).values():
                future.result(30)
            wait_until(lambda: not existing & set(self._admin.list_topics(timeout=10).topics))

    @contextmanager
    def runtime(self, service: Service, **overrides: Any) -> Iterator[Runtime]:
        """A service wired to the real parts, with a fresh database that is ready to use. Its topics hold nothing.

        What of its preparing is the same each time is done once.
        """
        with (
            self.migrated_database(service) as database_url,
            self._wired(service, database_url, **overrides) as runtime,
        ):
            topics = {kind.contract.topic.name for kind in (*runtime.handlers.reads, *runtime.handlers.writes)}
            topics.add(dead_letter_topic_of(service.name))
            self._have_empty_topics(topics, retention_ms=runtime.settings.retention_ms)
            if runtime.vault.store is not None or not self._registered.issuperset(runtime.handlers.writes):
                self._migrate(runtime)
            runtime.codec.prepare(runtime.handlers.writes)
            yield runtime


@contextmanager
def running_parts() -> Iterator[Parts]:
    """The real parts: those that run already, else started for as long as this takes."""
    stack = Stack(StackSettings(folder=TEST_FOLDER, port_base=TEST_PORT_BASE))
    if stack.way_name == DOCKER and not stack.is_up:
        with containers.running(stack.settings), closing(Parts(stack)) as parts:
            yield parts
        return
    was_up = stack.is_up
    stack.up_parts()
    try:
        with closing(Parts(stack)) as parts:
            yield parts
    finally:
        if not was_up:
            stack.down()
