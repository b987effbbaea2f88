"""Every fault there is: who is harmed how, while payments go on being ordered."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import psycopg
from psycopg import sql

from chaos import clock, full_disk, next_version
from chaos.installation import LOOK_SECONDS, RESTART_SECONDS_MAX, ROLES, Another, Installation
from chaos.proxy import Proxy, Wire
from chaos.scene import Fault, Scene
from stack import archive, backups, kafka, postgres, services
from stack.services import FEATURES
from stack.settings import SERVICES
from tests import in_the_clear
from tests.waiting import wait_until

AWAY_SECONDS = 60
"""Longer than the time-outs of every client, and than a session of the broker's."""
WIRE_SECONDS = 20
LOCKED_SECONDS = 15
FULL_SECONDS = 15
CLOCK_SECONDS = 10
CLOCK_JUMP_SECONDS = (20, 60)
BETWEEN_SECONDS = 5
"""Of trading between a backup and the loss of what came after it, and under two versions side by side."""
TABLES = {"payments": "payments", "fraud": "assessments", "compliance": "screenings", "accounts": "accounts"}
"""One of each service that none of its batches can do without."""
FOLLOWERS = ("fraud", "compliance")
"""Services whose every change follows from an event of another, or from a person who can be asked again."""
LEADERS = ("payments", "accounts")
"""Services that are told things over HTTP which no topic tells again: theirs must be brought back whole."""


def roles_killed(scene: Scene) -> None:
    """Each role in a process of its own, each process killed and asked to stop."""
    for service in scene.chance.sample(SERVICES, len(SERVICES)):
        with scene.installation.instead(service, *((role,) for role in ROLES)) as others:
            for number in range(len(others)):
                for is_polite in (False, True):
                    _replace(scene, service, others, number, is_polite=is_polite)
    scene.installation.kill(FEATURES)
    scene.installation.supervisor.wait_ready(FEATURES)
    scene.say("features killed")
    scene.recover()
    scene.installation.restart(FEATURES)
    scene.say("features stopped")
    scene.recover()


def _replace(scene: Scene, service: str, others: list[Another], number: int, *, is_polite: bool) -> None:
    old = others[number]
    old.end() if is_polite else old.kill()
    address = {"WEIR_HTTP_PORT": old.url.rpartition(":")[2]}
    others[number] = scene.installation.one_more(service, *old.roles, overrides=address)
    others[number].wait_ready()
    scene.say(f"{service} {old.roles[0]} {'stopped' if is_polite else 'killed'}")
    scene.recover()


def all_killed(scene: Scene) -> None:
    """The power is cut: every process of every part and service, within a moment of each other."""
    names = scene.chance.sample((*SERVICES, FEATURES, "kafka", "postgres", "registry"), 8)
    with ThreadPoolExecutor(len(names)) as pool:
        deaths = [pool.submit(scene.installation.kill, name) for name in names]
    for death in deaths:
        death.result()
    scene.say("everything")
    scene.recover()


def kafka_away(scene: Scene) -> None:
    """The broker is killed, and stays away."""
    with scene.installation.away("kafka"):
        scene.last(AWAY_SECONDS)
    scene.say(f"{AWAY_SECONDS} s")
    scene.recover()


def postgres_killed(scene: Scene) -> None:
    """The database is killed, and restarted as for an upgrade."""
    scene.installation.kill("postgres")
    scene.installation.supervisor.wait_ready("postgres")
    scene.say("killed")
    scene.recover()
    scene.installation.stack.way.restart("postgres")
    scene.say("restarted")
    scene.recover()


def postgres_away(scene: Scene) -> None:
    """The database is killed, and stays away: what is asked for meanwhile is put off, and done in the end."""
    put_off = scene.shop.seen["503"]
    with scene.installation.away("postgres"):
        scene.last(AWAY_SECONDS)
    assert scene.shop.seen["503"] > put_off, "nothing was put off"
    scene.say(f"{AWAY_SECONDS} s")
    scene.recover()


def registry_away(scene: Scene) -> None:
    """The registry is away, while a service is killed, which then can't learn the schemas."""
    service = scene.chance.choice(SERVICES)
    with scene.installation.away("registry"):
        scene.installation.kill(service)
        scene.last(WIRE_SECONDS)
        assert not scene.installation.is_ready(service), f"{service} began without knowing its schemas"
    scene.say(f"with {service} killed")
    scene.recover()


def database_wire(scene: Scene) -> None:
    """Between a service and its database: cut, silent, slow."""
    _harm_wire(scene, to_kafka=False)


def broker_wire(scene: Scene) -> None:
    """Between a service and the broker: cut, silent, slow."""
    _harm_wire(scene, to_kafka=True)


def _harm_wire(scene: Scene, *, to_kafka: bool) -> None:
    service, settings = scene.chance.choice(SERVICES), scene.installation.settings
    direct = settings.database_url(service)
    detoured = direct.replace(f":{settings.postgres_port}/", f":{settings.postgres_port + 1}/")
    assert detoured != direct, "there is no port in the database's address to replace"
    overrides = (
        {"WEIR_KAFKA_BOOTSTRAP": f"{settings.host}:{settings.kafka_proxy_port}"}
        if to_kafka
        else {"WEIR_DATABASE_URL": detoured}
    )
    wires = (Wire.CUT, Wire.SILENT, Wire.SLOW)
    with (
        scene.detour(to_kafka=to_kafka) as proxy,
        scene.installation.instead(service, overrides=overrides),
    ):
        for wire in scene.chance.sample(wires, len(wires)):
            _require_in_use(proxy)
            with proxy.being(wire):
                if wire is Wire.CUT:
                    _see(lambda: not scene.installation.is_ready(service))
                scene.last(WIRE_SECONDS)
            scene.say(f"{service}: {wire}")
            scene.recover()


def _require_in_use(proxy: Proxy) -> None:
    """Nobody is harmed by what becomes of a wire that nobody talks over."""
    carried = proxy.carried_bytes
    _see(lambda: proxy.carried_bytes > carried)


def _see(condition: Callable[[], bool]) -> None:
    """Wait for a sign that there is harm done. Raises AssertionError if there is none."""
    wait_until(condition, seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)


def disk_full(scene: Scene) -> None:
    """Nothing more can be written where Kafka keeps its logs."""
    messaging = scene.installation.settings.messaging()
    with full_disk.full(full_disk.folder(scene.installation)):
        # A broker that can't write ends itself, and can't begin before it can.
        _see(lambda: not kafka.answers(messaging))
        scene.last(FULL_SECONDS)
    scene.say(f"{FULL_SECONDS} s")
    scene.recover()


def clock_jumps(scene: Scene) -> None:
    """A service's clock is set forward, and back again."""
    service = scene.chance.choice(SERVICES)
    hands = clock.Clock(scene.installation.settings.folder / "clock")
    with scene.installation.instead(service, overrides=hands.environment(scene.installation.settings)):
        for sign in (1, -1):
            seconds = sign * scene.chance.randint(*CLOCK_JUMP_SECONDS)
            with hands.off_by(seconds):
                scene.last(CLOCK_SECONDS)
                _require_off_by(seconds, scene.installation.url(service))
            scene.say(f"{service}: {seconds:+} s")
            scene.recover()


def _require_off_by(seconds: int, url: str) -> None:
    """The service goes by the clock that was set: it says so with each answer, a second behind at most."""
    told = parsedate_to_datetime(in_the_clear.get(f"{url}/health", timeout=10).headers["date"])
    off = (told - datetime.now(UTC)).total_seconds()
    assert abs(off - seconds) < CLOCK_JUMP_SECONDS[0] / 2, f"its clock is off by {off:.0f} s and not by {seconds}"


def pool_exhausted(scene: Scene) -> None:
    """Someone locks a table, until every connection of its service waits for it; then none is to be had at all."""
    service = scene.chance.choice(SERVICES)
    settings = scene.installation.settings
    with psycopg.connect(postgres.admin_dsn(settings, service)) as stranger:
        stranger.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(TABLES[service])))
        _see(lambda: _is_waited_for(stranger, TABLES[service]))
        scene.last(LOCKED_SECONDS)
    scene.say(f"{service}: {TABLES[service]} locked")
    scene.recover()
    with no_connections(scene.installation, service):
        scene.last(LOCKED_SECONDS)
    scene.say(f"{service}: no connections")
    scene.recover()


def _is_waited_for(holder: psycopg.Connection, table: str) -> bool:
    """Whether someone waits for a table that this connection's transaction has locked."""
    query = """SELECT EXISTS (
        SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE datname = current_database() AND relation = %s::regclass AND NOT granted)"""
    (is_so,) = holder.execute(query, (table,)).fetchone() or (False,)
    return bool(is_so)


@contextmanager
def no_connections(installation: Installation, service: str) -> Iterator[None]:
    """A service's role may not connect to its database while the block lasts."""
    role = sql.Identifier(service)
    with psycopg.connect(postgres.admin_dsn(installation.settings), autocommit=True) as stranger:
        stranger.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(role))
        stranger.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (service,))
        try:
            yield
        finally:
            stranger.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1").format(role))


def consumer_frozen(scene: Scene) -> None:
    """A consumer stands still with messages in its hands until another has them, and then goes on."""
    service = scene.chance.choice(SERVICES)
    with scene.installation.another(service, "worker") as zombie:
        frozen = scene.installation.arm(zombie.name, "consumer.before_claim", then="SIGSTOP")
        wait_until(lambda: not frozen.exists(), seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        wait_until(lambda: zombie.is_frozen)
        # Longer than a session of the broker's: its partitions are given to the other, which applies what it holds.
        scene.last(WIRE_SECONDS)
        zombie.go_on()
        wait_until(lambda: "no longer ours" in zombie.log, seconds_max=RESTART_SECONDS_MAX)
        scene.say(service)
        scene.recover()


def rolling_restart(scene: Scene) -> None:
    """A version with one more field in an event comes, service by service, while the old one goes on beside it."""
    settings = scene.installation.settings
    with tempfile.TemporaryDirectory() as folder:
        code = next_version.write(Path(folder))
        # As a release does: the schema is registered before the first process that knows it begins.
        _migrate(code, scene.installation, "payments")
        with ExitStack() as both:
            beside = both.enter_context(_beside(scene.installation, "payments", code))
            scene.last(BETWEEN_SECONDS)
            for service in scene.chance.sample(SERVICES, len(SERVICES)):
                with scene.installation.instead(service, directory=code):
                    scene.say(service)
                    scene.recover()
            assert beside.process.poll() is None, beside.log[-4_000:]
    assert next_version.was_seen(settings), "no record of the new version was published"


@contextmanager
def _beside(installation: Installation, service: str, code: Path) -> Iterator[Another]:
    other = installation.one_more(service, directory=code)
    try:
        other.wait_ready()
        yield other
    finally:
        other.end()


def _migrate(code: Path, installation: Installation, service: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", f"services.{service}", "migrate"],
        env={**os.environ, **services.migration_environment(installation.settings, service)},
        cwd=code,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4_000:]


def database_restored(scene: Scene) -> None:
    """A service's database is lost, and brought back from a backup that is older than the topics."""
    service, settings = scene.chance.choice(FOLLOWERS), scene.installation.settings
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{service}.dump"
        backups.back_up(settings, service, file)
        scene.last(BETWEEN_SECONDS)
        with scene.installation.stack.way.pause(*backups.programs_of(service)):
            backups.restore(settings, service, file)
    scene.say(service)
    scene.recover()


def database_lost(scene: Scene) -> None:
    """A database is dropped, and brought back as it was at that moment, from a copy of Postgres and its log since."""
    service, settings = scene.chance.choice(LEADERS), scene.installation.settings
    archive.copy_all(settings)
    scene.last(BETWEEN_SECONDS)
    with tempfile.TemporaryDirectory() as folder, scene.installation.stack.way.pause(*backups.programs_of(service)):
        with psycopg.connect(postgres.admin_dsn(settings), autocommit=True) as stranger:
            ((lost_at,),) = stranger.execute("SELECT clock_timestamp()").fetchall()
            stranger.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(service)))
        file = Path(folder) / service
        archive.extract(settings, service, file, at=lost_at)
        backups.restore(settings, service, file)
    scene.say(service)
    scene.recover()


FAULTS = {
    function.__name__: Fault(name=function.__name__, meaning=(function.__doc__ or "").strip(), inflict=function)
    for function in (
        roles_killed,
        all_killed,
        kafka_away,
        postgres_killed,
        postgres_away,
        registry_away,
        database_wire,
        broker_wire,
        disk_full,
        clock_jumps,
        pool_exhausted,
        consumer_frozen,
        rolling_restart,
        database_restored,
        database_lost,
    )
}
