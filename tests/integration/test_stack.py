"""The stack itself: up, watched, restarted, crashed and up again, down without a trace. In that order."""

import json
import math
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from libs.common import database, ids
from libs.common.keys import KeyStore, MasterKeys
from libs.common.settings import Settings
from libs.common.vault import Vault
from schemas.accounts.events import CustomerPersonalData, EncryptedPersonalData
from stack import alertmanager, archive, backups, leftovers, postgres, prometheus, services, signature
from stack.part import StackError
from stack.settings import KEYS, REPOSITORY, SERVICES, StackSettings
from stack.stack import NATIVE, Stack
from tests import in_the_clear, promql
from tests.parts import TEST_FOLDER, TEST_PORT_BASE
from tests.waiting import wait_until

RULES = prometheus.CONFIGURATION / "rules.yml"
FOLDER = TEST_FOLDER.with_name(f"{TEST_FOLDER.name}-stack")


def settings(folder: Path = FOLDER, **more: Any) -> StackSettings:
    return StackSettings(folder=folder, port_base=TEST_PORT_BASE + 300, stack=NATIVE, kafka_heap_mb=256, **more)


Told = dict[str, list[dict[str, Any]]]
"""Alerts, by the receiver that was told them."""


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[str, Told]]:
    """Where receivers of alerts are told them, and what they were told."""
    told: Told = defaultdict(list)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told[self.path.strip("/")] += message["alerts"]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests say what is of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()


@pytest.fixture(scope="module")
def stack(told: tuple[str, Told]) -> Iterator[Stack]:
    stack = Stack(settings())
    stack.down(forget=True)
    stack.settings.receivers.mkdir(parents=True)
    for receiver in ("page", "ticket", "watchdog"):
        (stack.settings.receivers / receiver).write_text(f"{told[0]}/{receiver}\n")
    stack.up()
    yield stack
    stack.down(forget=True)


def test_after_up_everything_is_ready(stack: Stack) -> None:
    states = {part.name: part.state for part in stack.way.states()}
    parts = ("postgres", "kafka", "registry", "prometheus", "alertmanager", *SERVICES, services.FEATURES)
    assert states == dict.fromkeys(parts, "ready")


def test_a_second_up_leaves_what_runs_as_it_is(stack: Stack) -> None:
    before = pids(stack)
    stack.up_parts()
    assert pids(stack) == before


def test_the_desk_may_ask_payments_for_a_timeline(stack: Stack) -> None:
    told = services.environment(stack.settings, "compliance")
    ask = partial(httpx.get, f"{told['WEIR_PAYMENTS_URL']}/v1/payments/{ids.new()}")
    assert ask().status_code == 401
    assert ask(headers={"Authorization": f"Bearer {told['WEIR_PAYMENTS_KEY']}"}).status_code == 404


def test_a_backup_brings_back_what_a_database_held_and_nothing_later(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "payments.dump"
    run = partial(subprocess.run, cwd=REPOSITORY, env=environment(stack.settings), capture_output=True, text=True)
    add = [sys.executable, "-m", "services.payments", "clients", "add"]
    assert run([*add, "before", "read"]).returncode == 0
    assert run([sys.executable, "-m", "stack", "backup", "payments", str(file)]).returncode == 0
    assert run([*add, "after", "read"]).returncode == 0
    assert names(stack) == [("after",), ("before",)]
    restored = run([sys.executable, "-m", "stack", "restore", "payments", str(file)])
    assert restored.returncode == 0, restored.stdout
    assert names(stack) == [("before",)]
    assert query(stack, "SELECT datname FROM pg_database WHERE datname LIKE 'payments%'") == [("payments",)]
    assert {part.name: part.state for part in stack.way.states()}["payments"] == "ready"


def test_access_that_was_taken_away_does_not_come_back_with_a_backup(stack: Stack, tmp_path: Path) -> None:
    files = {service: tmp_path / f"{service}.dump" for service in ("payments", "compliance")}
    query(stack, "INSERT INTO clients (client_id) VALUES ('till')")
    query(stack, "INSERT INTO client_keys VALUES ('leaked', 'till', 'main', '…', '{read,staff}')")
    query(stack, "INSERT INTO client_keys VALUES ('rotated', 'till', 'office', '…', '{read,staff}')")
    people = (
        "INSERT INTO desk_users (username, password_hash, role) VALUES ('ann', '!', 'officer'), ('bob', '!', 'officer')"
    )
    query(stack, people, database="compliance")
    query(stack, _SIGNED_IN, database="compliance")
    for service, file in files.items():
        backups.back_up(stack.settings, service, file)
    query(stack, _ACTED)
    query(stack, "UPDATE client_keys SET revoked_at = now() WHERE key_hash = 'leaked'")
    query(stack, "UPDATE client_keys SET expires_at = now(), scopes = '{read}' WHERE key_hash = 'rotated'")
    query(stack, "INSERT INTO client_keys VALUES ('newer', 'till', 'office', '…', '{read}')")
    query(stack, "UPDATE desk_users SET disabled_at = now() WHERE username = 'ann'", database="compliance")
    query(stack, "UPDATE desk_users SET role = 'auditor' WHERE username = 'bob'", database="compliance")

    with stack.way.pause(*files):
        notes = {service: backups.restore(stack.settings, service, file) for service, file in files.items()}

    keys = "SELECT key_hash, scopes, revoked_at < now(), expires_at < now() FROM client_keys WHERE client_id = 'till'"
    assert sorted(query(stack, keys)) == [
        (b"leaked", ["read", "staff"], True, None),
        (b"rotated", ["read"], None, True),
    ]
    disabled = "SELECT username, role, disabled_at IS NOT NULL FROM desk_users WHERE username IN ('ann', 'bob')"
    assert sorted(query(stack, disabled, database="compliance")) == [
        ("ann", "officer", True),
        ("bob", "officer", False),
    ]
    assert query(stack, "SELECT count(*) FROM desk_sessions", database="compliance") == [(0,)]
    assert notes == {
        "payments": [
            "Ended, revoked or narrowed since, and so again: till (main), till (office)",
            "Made since, and known no more (give new ones): till (office)",
        ],
        "compliance": [
            "Disabled since, and so again: ann",
            "Whose role or password has changed since, and is the old one (set it again): bob",
        ],
    }
    # Nor is what was done since forgotten, nor who restored what.
    acts = query(stack, "SELECT command, arguments, actor FROM interventions ORDER BY intervention_id DESC LIMIT 2")
    assert acts[1] == ("clients revoke", '{"client_id": "till"}', "olga")
    assert (acts[0][0], json.loads(acts[0][1])) == ("restore", {"file": "payments.dump", "signed": True})
    query(stack, "DELETE FROM client_keys WHERE client_id = 'till'; DELETE FROM clients WHERE client_id = 'till'")


def test_whoever_was_erased_is_not_brought_back_with_the_keys(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "keys.dump"
    query(stack, _KEYS, database=KEYS)
    backups.back_up(stack.settings, KEYS, file)
    query(stack, _DESTROYED, database=KEYS)
    with stack.way.pause(*backups.programs_of(KEYS)):
        assert backups.restore(stack.settings, KEYS, file) == ["Keys destroyed since, and so again: 1"]
    keys = "SELECT key_id, wrapped IS NULL, destroyed_at IS NULL FROM data_keys WHERE owner_id = 'nobody' ORDER BY 1"
    assert query(stack, keys, database=KEYS) == [("kept", False, True), ("lost", True, False)]
    acts = "SELECT act, actor FROM key_acts WHERE owner_id = 'nobody'"
    assert query(stack, acts, database=KEYS) == [("destroyed", "olga")]


_ACTED = """INSERT INTO interventions (command, arguments, actor, reason)
VALUES ('clients revoke', '{"client_id": "till"}', 'olga', 'leaked')"""
_KEYS = """INSERT INTO data_keys (key_id, owner_id, version, wrapped, master_key_id)
VALUES ('lost', 'nobody', 1, 'sealed', 'one'), ('kept', 'nobody', 2, 'sealed', 'one')"""
_DESTROYED = """
UPDATE data_keys SET wrapped = NULL, master_key_id = NULL, destroyed_at = now() WHERE key_id = 'lost';
INSERT INTO key_acts (act, owner_id, key_count, actor, reason) VALUES ('destroyed', 'nobody', 1, 'olga', 'asked')"""

_SIGNED_IN = """INSERT INTO desk_sessions (token_hash, username, created_at, seen_at, expires_at)
VALUES ('one', 'bob', now(), now(), now() + interval '8 h')"""


def test_a_service_stays_stopped_after_a_restore_until_it_is_started_again(stack: Stack, tmp_path: Path) -> None:
    run = partial(subprocess.run, cwd=REPOSITORY, env=environment(stack.settings), capture_output=True, text=True)
    file = tmp_path / "payments.dump"
    backups.back_up(stack.settings, "payments", file)
    restore = [sys.executable, "-m", "stack", "restore", "--stay-stopped", "payments"]
    assert run([*restore, str(tmp_path / "nothing.dump")]).returncode == 1
    assert states_of(stack)["payments"] == "ready", "nothing is stopped for what can't be restored"
    (broken := tmp_path / "broken.dump").write_bytes(b"no dump")
    assert run([*restore, "--unsigned", str(broken)]).returncode == 1
    assert states_of(stack)["payments"] == "stopped"
    restored = run([*restore, str(file)])
    assert restored.returncode == 0, restored.stdout
    assert "Stopped, until python -m stack restart NAME: payments" in restored.stdout
    assert states_of(stack)["payments"] == "stopped"
    revoked = run([sys.executable, "-m", "services.payments", "clients", "revoke", "before"])
    assert revoked.returncode == 0, revoked.stdout + revoked.stderr
    # Some of its roles where nobody else comes: what the runbook of a restore has an operator do.
    port = str(TEST_PORT_BASE + 399)
    alone = subprocess.Popen(
        [sys.executable, "-m", "services.payments", "api", "relay"],
        env={**environment(stack.settings), "WEIR_HTTP_PORT": port},
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: services.is_ready(f"http://{stack.settings.host}:{port}/ready"))
    finally:
        alone.terminate()
        assert alone.wait(30) == 0
    assert run([sys.executable, "-m", "stack", "restart", "payments"]).returncode == 0
    assert states_of(stack)["payments"] == "ready"


def test_where_what_was_taken_away_cannot_be_found_out_an_operator_is_told(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "payments.dump"
    backups.back_up(stack.settings, "payments", file)
    with stack.way.pause("payments"):
        query(stack, "ALTER TABLE client_keys RENAME TO lost")
        (note,) = backups.restore(stack.settings, "payments", file)
    assert note.startswith("Whom payments has let in no more since cannot be found out; revoke and disable again: ")
    assert query(stack, "SELECT to_regclass('lost') IS NULL") == [(True,)]


def test_a_moment_is_brought_back_and_nothing_later(stack: Stack, tmp_path: Path) -> None:
    run = partial(subprocess.run, cwd=REPOSITORY, env=environment(stack.settings), capture_output=True, text=True)
    copied = run([sys.executable, "-m", "stack", "backup"])
    assert copied.returncode == 0, copied.stdout
    add_client(stack, "in time")
    (moment,) = query(stack, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")[0]
    add_client(stack, "too late")
    before = names(stack)

    restored = run([sys.executable, "-m", "stack", "restore", "payments", "--to", moment])

    assert restored.returncode == 0, restored.stdout
    assert set(before) - set(names(stack)) == {("too late",)}
    told = query(stack, "SELECT arguments FROM interventions WHERE command = 'restore' ORDER BY intervention_id")
    assert json.loads(told[-1][0]) == {"file": f"payments as of {moment}", "signed": True}
    assert {part.name: part.state for part in stack.way.states()}["payments"] == "ready"
    assert query(stack, "SELECT datname FROM pg_database WHERE datname LIKE 'payments%'") == [("payments",)]
    assert not (stack.settings.postgres_folder / "replayed").exists()


def test_what_a_lost_server_had_archived_is_brought_back_whole(stack: Stack) -> None:
    run = partial(subprocess.run, cwd=REPOSITORY, env=environment(stack.settings), capture_output=True, text=True)
    add_client(stack, "archived")
    sealed = (
        vault_of(stack)
        .keys(owners=["ann"])
        .seal(EncryptedPersonalData, CustomerPersonalData(name="Ann"), owners=["ann"], about="ann")
    )
    query(stack, "SELECT pg_switch_wal()")
    archived = postgres.archive_folder(stack.settings)
    wait_until(lambda: query(stack, "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name ~ 'ready$'") == [(0,)])
    lost = stack.settings.postgres_folder / "lost"
    shutil.copytree(archived, lost)
    subprocess.run(["chown", "-R", "--reference", archived, lost], check=True)
    add_client(stack, "after it was lost")
    query(stack, "TRUNCATE data_keys", database=KEYS)
    for name in ("registry", KEYS, "payments"):
        restored = run([sys.executable, "-m", "stack", "restore", name, "--archive", str(lost)])
        assert restored.returncode == 0, restored.stdout
    assert ("archived",) in names(stack) and ("after it was lost",) not in names(stack)
    opened = vault_of(stack).unseal(CustomerPersonalData, {"ann": sealed})
    assert opened == {"ann": CustomerPersonalData(name="Ann")}
    assert set(states_of(stack).values()) == {"ready"}


def test_what_a_release_has_added_since_a_backup_is_there_before_the_service_begins(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "payments.dump"
    query(stack, _AS_BEFORE_CLIENTS)
    backups.back_up(stack.settings, "payments", file)
    run = partial(subprocess.run, cwd=REPOSITORY, env=environment(stack.settings), capture_output=True, text=True)
    restored = run([sys.executable, "-m", "stack", "restore", "payments", str(file)])
    assert restored.returncode == 0, restored.stdout
    assert query(stack, "SELECT count(*) FROM quotas") == [(0,)]
    assert query(stack, "SELECT has_table_privilege('payments', 'quotas', 'INSERT')") == [(True,)]


_AS_BEFORE_CLIENTS = """
DROP TABLE quotas;
ALTER TABLE known_accounts DROP COLUMN client_id;
UPDATE alembic_version SET version_num = 'payments_0001' WHERE version_num LIKE 'payments_%'"""


def vault_of(stack: Stack) -> Vault:
    """Reads keys as a service does that has just begun."""
    masters = Settings(
        database_url="postgresql://nowhere",
        keys_url=stack.settings.database_url(KEYS),  # type: ignore[arg-type]
        master_keys=stack.settings.master_keys,  # type: ignore[arg-type]
    ).known_master_keys
    return Vault(KeyStore(database.create(stack.settings.database_url(KEYS)), MasterKeys(dict(masters))))


def states_of(stack: Stack) -> dict[str, str]:
    return {part.name: part.state for part in stack.way.states()}


@pytest.mark.parametrize("has_begun", [False, True], ids=["at the drop", "at another commit, after it had begun"])
def test_a_dropped_database_is_brought_back_with_its_last_commit(stack: Stack, tmp_path: Path, has_begun: bool) -> None:
    last = f"the last, {has_begun}"
    archive.copy_all(stack.settings)
    add_client(stack, last)
    before, file = names(stack), tmp_path / "payments.dump"
    with stack.way.pause(*SERVICES, services.FEATURES):
        with psycopg.connect(postgres.admin_dsn(stack.settings), autocommit=True) as connection:
            if has_begun:
                # What a drop does first, at once and whatever becomes of its transaction.
                connection.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'payments'")
            ((dropped_at,),) = connection.execute("SELECT clock_timestamp()").fetchall()
            if has_begun:
                connection.execute("SELECT pg_current_xact_id()")
            connection.execute("DROP DATABASE payments WITH (FORCE)")
        archive.extract(stack.settings, "payments", file, at=dropped_at)
        backups.restore(stack.settings, "payments", file)
    assert (last,) in names(stack) == before


def test_of_copies_the_newest_two_are_kept_and_the_log_that_they_need(stack: Stack) -> None:
    folder = postgres.archive_folder(stack.settings)
    copies = [archive.copy_all(stack.settings) for _ in range(2)]
    before = {segment.name for segment in postgres.log_folder(folder).iterdir()}
    copies.append(archive.copy_all(stack.settings))
    assert sorted((folder / "copies").iterdir()) == sorted([*copies[-2:], *map(signature.place_of, copies[-2:])])
    assert before - {segment.name for segment in postgres.log_folder(folder).iterdir()}
    archive.extract(stack.settings, "payments", folder / "payments.dump", at=datetime.now(UTC))


def test_an_archive_that_is_away_keeps_the_log_where_it_is_and_is_told_until_it_is_back(stack: Stack) -> None:
    def switch() -> str:
        """Finish a segment, which wakes who archives; its name."""
        query(stack, "SELECT pg_current_xact_id()", database="postgres")
        return str(query(stack, "SELECT pg_walfile_name(pg_switch_wal())", database="postgres")[0][0])

    def failing() -> float:
        return figure(stack, "database_archive_failing_seconds")

    archive.copy_all(stack.settings)
    folder = postgres.archive_folder(stack.settings)
    wait_until(lambda: figure(stack, "database_copy_age_seconds") < 30 and failing() == 0)
    away = folder.rename(folder.with_name("away"))
    try:
        segment = switch()
        wait_until(lambda: failing() > 0)
        assert query(stack, f"SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name = '{segment}.ready'") == [(1,)]
        with pytest.raises(StackError, match="bring its disk back"):
            archive.copy_all(stack.settings)
        # The place where it should be mounted is there, and empty.
        postgres.make_folder(folder)
        postgres.make_folder(postgres.log_folder(folder))
        before = failures(stack)
        switch()
        wait_until(lambda: failures(stack) > before)
        assert not list(postgres.log_folder(folder).iterdir())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        away.rename(folder)
    switch()
    wait_until(lambda: (postgres.log_folder(folder) / segment).exists() and failing() == 0)


def failures(stack: Stack) -> int:
    """Of Postgres' attempts to archive its log."""
    return int(query(stack, "SELECT failed_count FROM pg_stat_archiver")[0][0])


def figure(stack: Stack, name: str) -> float:
    """What services tell of the server, as Prometheus has it; not a number where they tell nothing."""
    address = f"http://{stack.settings.host}:{stack.settings.prometheus_port}/api/v1/query"
    answer = in_the_clear.get(address, params={"query": f"max({name})"}).raise_for_status()
    result = answer.json()["data"]["result"]
    return float(result[0]["value"][1]) if result else math.nan


def test_a_moment_that_nobody_has_kept_is_refused(stack: Stack, tmp_path: Path) -> None:
    extract = partial(archive.extract, stack.settings, "payments", tmp_path / "payments.dump")
    with pytest.raises(StackError, match="still to come"):
        extract(at=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(StackError, match="The oldest moment"):
        extract(at=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(StackError, match="no copy of Postgres"):
        extract(at=None, archive=tmp_path)


def add_client(stack: Stack, name: str) -> None:
    query(stack, f"INSERT INTO clients (client_id) VALUES ('{name}') RETURNING 1")


def test_a_damaged_backup_leaves_the_database_as_it_was(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "payments.dump"
    add_client(stack, "whole")
    backups.back_up(stack.settings, "payments", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(file.read_bytes()[:2_000])
    before = names(stack)
    with pytest.raises(StackError, match="is not what this installation has signed"):
        backups.restore(stack.settings, "payments", file)
    with pytest.raises(StackError, match="pg_restore"):
        backups.restore(stack.settings, "payments", file, unsigned=True)
    assert names(stack) == before != []
    databases = query(stack, "SELECT datname FROM pg_database WHERE datname LIKE 'payments%'")
    assert databases == [("payments",)]


def test_a_forged_copy_is_not_replayed(stack: Stack, tmp_path: Path) -> None:
    archived = postgres.archive_folder(stack.settings)
    copy = archive.copy_all(stack.settings)
    forged = stack.settings.postgres_folder / "forged"
    shutil.copytree(archived, forged)
    subprocess.run(["chown", "-R", "--reference", archived, forged], check=True)
    manifest = forged / "copies" / copy.name / "backup_manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b'"Files"', b'"files"'))
    with pytest.raises(StackError, match="is not what this installation has signed"):
        archive.extract(stack.settings, "payments", tmp_path / "payments.dump", at=None, archive=forged)
    shutil.rmtree(forged)


def test_what_stands_in_a_copy_beside_its_manifest_is_not_obeyed(stack: Stack, tmp_path: Path) -> None:
    copy = archive.copy_all(stack.settings)
    done = stack.settings.postgres_folder / "done"
    (copy / "postgresql.auto.conf").write_text(f"recovery_end_command = 'touch {done}'\n")
    (copy / "standby.signal").touch()
    file = tmp_path / "payments.dump"
    archive.extract(stack.settings, "payments", file, at=datetime.now(UTC))
    assert file.exists() and not done.exists()
    shutil.rmtree(copy)


def test_a_dump_that_somebody_else_made_has_no_more_rights_than_the_tables_owner(stack: Stack, tmp_path: Path) -> None:
    """Said to be taken unsigned, on a new machine: it gets hold of one database and no other."""
    file = tmp_path / "forged.dump"
    dsn = postgres.admin_dsn(stack.settings)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE forged")
    query(stack, _FORGED, database="forged")
    backups.dump(stack.settings, "forged", file, host=stack.settings.host, port=stack.settings.postgres_port)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE forged")
    before = names(stack)
    with stack.way.pause("payments"), pytest.raises(StackError, match="permission denied"):
        backups.restore(stack.settings, "payments", file, unsigned=True)
    assert names(stack) == before
    assert query(stack, "SELECT count(*) FROM pg_roles WHERE rolname = 'intruder'") == [(0,)]


_FORGED = """
CREATE FUNCTION intrude() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF current_database() <> 'forged' THEN
    RESET ROLE;
    CREATE ROLE intruder SUPERUSER LOGIN;
  END IF;
  RETURN 1;
END $$;
CREATE TABLE clients (client_id text CHECK (public.intrude() = 1));
INSERT INTO clients VALUES ('one')"""


def names(stack: Stack) -> list[tuple[Any, ...]]:
    return query(stack, "SELECT client_id FROM clients WHERE client_id <> 'desk' ORDER BY client_id")


def query(stack: Stack, statement: str, *, database: str = "payments") -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.admin_dsn(stack.settings, database)) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def environment(settings: StackSettings) -> dict[str, str]:
    """What the programs of an installation need to know, and payments' own commands."""
    named = {"WEIR_FOLDER": str(settings.folder), "WEIR_PORT_BASE": str(settings.port_base), "WEIR_STACK": NATIVE}
    return {**os.environ, **services.environment(settings, "payments"), **named}


def test_prometheus_watches_every_service(stack: Stack) -> None:
    def watched() -> dict[str, str]:
        address = f"http://{stack.settings.host}:{stack.settings.prometheus_port}/api/v1/targets"
        answer = in_the_clear.get(address).json()
        return {target["labels"]["service"]: target["health"] for target in answer["data"]["activeTargets"]}

    wait_until(lambda: watched() == dict.fromkeys((*SERVICES, services.FEATURES), "up"))


def test_every_metric_that_an_alert_asks_for_is_exported(stack: Stack) -> None:
    ports = [*(stack.settings.service_port(service) for service in SERVICES), stack.settings.features_port]
    pages = [prometheus.read(stack.settings, f"http://{stack.settings.host}:{port}") for port in ports]
    exported = set(re.findall(r"^# TYPE (\w+) ", "\n".join(pages), re.MULTILINE))
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    asked = {metric for rule in rules for metric in promql.metrics_of(rule["expr"]) if ":" not in metric}
    assert len(asked) > len(rules) / 2
    assert {re.sub(r"_(bucket|count|sum)$", "", metric) for metric in asked - promql.OF_PROMETHEUS} <= exported


def test_the_rules_pass_prometheus_own_checks_and_their_tests(stack: Stack) -> None:
    tests = (f"test rules {name}" for name in prometheus.RULE_TESTS)
    own = stack.settings.folder / "prometheus" / "prometheus.yml"
    for words in (f"check config {own}", "check rules rules.yml", *tests):
        result = subprocess.run(
            [prometheus.promtool(stack.settings), *words.split()],
            cwd=prometheus.CONFIGURATION,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_what_fires_reaches_whom_it_is_for_and_what_explains_itself_nobody(
    stack: Stack, told: tuple[str, Told]
) -> None:
    def names(receiver: str, *services: str) -> set[tuple[str, str]]:
        labels = [alert["labels"] for alert in told[1][receiver]]
        return {(label["alertname"], label.get("service", "")) for label in labels if label.get("service") in services}

    # By Prometheus itself: the one alert that always fires.
    wait_until(
        lambda: [alert for alert in told[1]["watchdog"] if alert["labels"]["alertname"] == "Watchdog"] != [],
        seconds_max=90,
    )
    assert not [alert for alert in told[1]["page"] if alert["labels"]["alertname"] == "Watchdog"]
    # And of two services that nobody has, so that nothing else is told of them.
    alerts = [("ServiceDown", "one"), ("RoleNotReady", "one"), ("RelayAbsent", "one"), ("RelayAbsent", "other")]
    address = f"http://{stack.settings.host}:{stack.settings.alertmanager_port}/api/v2/alerts"
    labels = [{"alertname": name, "severity": "page", "service": service} for name, service in alerts]
    for label in labels[:2]:
        label["instance"] = "one:8000"
    in_the_clear.post(address, json=[{"labels": one} for one in labels]).raise_for_status()
    # Each service's alerts come in one message, after as long as it may take until all of them are there.
    wait_until(lambda: {service for _, service in names("page", "one", "other")} == {"one", "other"})
    assert names("page", "one", "other") == {("ServiceDown", "one"), ("RelayAbsent", "one"), ("RelayAbsent", "other")}
    assert not names("ticket", "one", "other")


def test_alertmanager_s_own_check_takes_the_configuration_and_sends_each_alert_its_way(stack: Stack) -> None:
    file = str(stack.settings.folder / "alertmanager" / "alertmanager.yml")

    def amtool(*words: str) -> str:
        command = [str(alertmanager.amtool(stack.settings)), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert "SUCCESS" in amtool("check-config", file)
    alerts = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in (rule for rule in alerts if "alert" in rule):
        severity = rule["labels"]["severity"]
        labels = (f"alertname={rule['alert']}", f"severity={severity}", "service=payments")
        way = "watchdog" if rule["alert"] == "Watchdog" else severity
        assert amtool("config", "routes", "test", f"--config.file={file}", *labels) == way


def test_one_part_is_restarted_and_the_others_go_on(stack: Stack) -> None:
    before = pids(stack)
    stack.way.restart("compliance")
    after = pids(stack)
    assert {name for name in after if after[name] != before[name]} == {"compliance"}
    assert {part.name: part.state for part in stack.way.states()}["compliance"] == "ready"


def test_an_unknown_name_is_answered_with_those_there_are(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"no 'paymentz'; there are accounts, .*payments"):
        stack.way.restart("paymentz")


def test_after_a_crash_of_the_supervisor_up_ends_what_it_left_and_finds_the_data_again(stack: Stack) -> None:
    dsn = postgres.admin_dsn(stack.settings)
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    old = set(pids(stack).values())
    os.kill(int((FOLDER / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: not stack.is_up)
    assert set(left()) >= old

    stack.up_parts()

    assert not set(left()) & old
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_down_leaves_no_process_no_port_and_without_data_no_file(stack: Stack) -> None:
    os.kill(int((FOLDER / "supervisord.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: not stack.is_up)
    stack.down()
    assert left() == []
    assert FOLDER.exists() and stack.settings.postgres_folder.exists()
    assert not (FOLDER / "supervisor.sock").exists() and not (FOLDER / "supervisord.pid").exists()
    for port in stack.settings.ports.values():
        with socket.socket() as probe:
            assert probe.connect_ex((stack.settings.host, port)) != 0

    stack.down(forget=True)
    assert not FOLDER.exists() and not stack.settings.postgres_folder.exists()
    assert not FOLDER.with_name(FOLDER.name + ".lock").exists()


def test_an_up_that_is_interrupted_leaves_nothing_running() -> None:
    def press_ctrl_c(what: str) -> None:
        if what == "the schema registry":
            raise KeyboardInterrupt

    stack = Stack(settings())
    try:
        with pytest.raises(KeyboardInterrupt):
            stack.up(press_ctrl_c)
        assert left() == []
        assert not stack.is_up
    finally:
        stack.down(forget=True)


def test_data_of_an_installation_that_was_removed_is_set_aside_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    mine = settings(tmp_path / "data")
    try:
        assert postgres.prepare(mine) is None
        assert postgres.prepare(mine) is None
        (mine.folder / "secrets.json").unlink()
        aside = postgres.prepare(mine)
        assert aside is not None and (aside / "PG_VERSION").exists()
        assert (mine.postgres_folder / "data" / "PG_VERSION").exists()
        assert postgres.prepare(mine) is None
    finally:
        Stack(mine).down(forget=True)


def test_ports_that_are_taken_are_named_with_what_they_are_for(tmp_path: Path) -> None:
    wanted = settings(tmp_path / "data")
    with (
        socket.create_server((wanted.host, wanted.kafka_port)),
        socket.create_server((wanted.host, wanted.port_base + 1)),
    ):
        with pytest.raises(StackError) as refused:
            Stack(wanted).up()
        assert f"{wanted.kafka_port} (Kafka), {wanted.port_base + 1} (payments)" in str(refused.value)
        assert "WEIR_PORT_BASE" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ("restart payments", {}, "Nothing is running; start it with: make up"),
        ("up", {"WEIR_MEMORY_MB_MIN": "999999999"}, "MB of memory are free"),
        ("up", {"WEIR_STACK": "native", "PATH": "/nowhere", "WEIR_CACHE": "{folder}"}, "apt-get install maven"),
        ("up", {"WEIR_STACK": "docker", "PATH": "/nowhere"}, "No Docker engine with Compose answers"),
        ("up", {"WEIR_FOLDER": "{folder}/" + 100 * "x"}, "is too long for a socket"),
        ("up", {"WEIR_PORT_BASE": "high"}, "WEIR_PORT_BASE"),
    ],
)
def test_what_prevents_a_command_is_said_in_a_line_or_two(
    tmp_path: Path, words: str, environment: dict[str, str], said: str
) -> None:
    given = {name: value.replace("{folder}", str(tmp_path)) for name, value in environment.items()}
    unused = {"WEIR_FOLDER": str(tmp_path / "data"), "WEIR_PORT_BASE": str(TEST_PORT_BASE + 300), "WEIR_STACK": NATIVE}
    result = subprocess.run(
        [sys.executable, "-m", "stack", *words.split()],
        env={**os.environ, **unused, **given},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert said in " ".join(result.stdout.split())
    assert "Traceback" not in result.stdout + result.stderr
    assert len(result.stdout.strip().splitlines()) <= 6, result.stdout


def pids(stack: Stack) -> dict[str, int]:
    return {part.name: stack.supervisor.pid(part.name) for part in stack.way.states()}


def left() -> list[int]:
    """The processes that this installation's supervisor has ever started and that are still there."""
    return leftovers.find(f"unix://{FOLDER / 'supervisor.sock'}", FOLDER / "supervisord.conf")
