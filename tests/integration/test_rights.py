"""Roles of the databases: each may do what is said of it in one place, and nothing else, whatever its code tries."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege
from sqlalchemy.engine import make_url

from libs.common import database, keys, rights
from libs.common.database import execute
from libs.common.errors import Outage
from libs.common.keys import KeyStore, MasterKeys
from libs.common.rights import MESSAGING, RETENTION_SUFFIX, Rights
from libs.common.service import Runtime, Service
from libs.common.settings import Settings
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.compliance.__main__ import SERVICE as COMPLIANCE
from services.compliance.store import retention
from services.fraud.__main__ import SERVICE as FRAUD
from services.payments.__main__ import SERVICE as PAYMENTS
from stack import postgres
from tests.parts import Parts

SERVICES = (ACCOUNTS, COMPLIANCE, FRAUD, PAYMENTS)
ACTIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
RUN_TIME = "_run"
FORGETS = RUN_TIME + RETENTION_SUFFIX


@contextmanager
def migrated(parts: Parts, service: Service) -> Iterator[tuple[Settings, Settings]]:
    """A service's database, migrated by its owner. Yields what the service runs with, and what forgets."""
    with parts.database(service.name) as owner, parts.role(owner, RUN_TIME) as run, parts.role(owner, FORGETS) as keeps:
        messaging = dict(parts.messaging)
        role = service.settings(database_url=run).database.username
        migrating = Runtime(service, service.settings(database_url=owner, database_role=role, **messaging))
        # Twice, as every release does.
        migrating.migrate()
        migrating.migrate()
        migrating.engine.dispose()
        yield service.settings(database_url=run, **messaging), service.settings(database_url=keeps, **messaging)


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
def granted(parts: Parts, request: pytest.FixtureRequest) -> Iterator[tuple[Service, Settings, Settings]]:
    with migrated(parts, request.param) as (run, keeps):
        yield request.param, run, keeps


def said_of(service: Service) -> Rights:
    return {**MESSAGING, **service.rights}


def test_every_table_is_named_and_each_role_may_do_exactly_what_is_said(
    granted: tuple[Service, Settings, Settings],
) -> None:
    service, run, keeps = granted
    with psycopg.connect(run.database_dsn) as connection:
        tables = _relations(connection, "r", "v", "m", "p")
        assert tables - said_of(service).keys() == set(), "without a word on who may do what with them"
        assert said_of(service).keys() <= tables | _relations(connection, "S"), "there are no such tables"
        for settings, said in ((run, said_of(service)), (keeps, service.retention_rights)):
            role = settings.database.username
            for table in sorted(tables):
                assert _may(connection, role, table) == _parsed(said.get(table, "")), f"{role}: {table}"


def _relations(connection: psycopg.Connection, *kinds: str) -> set[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY(%s)"
    return {name for (name,) in connection.execute(query, (list(kinds),))}


def _may(connection: psycopg.Connection, role: str | None, table: str) -> dict[str, set[str]]:
    """What a role may do with a table, and with which columns, where not with all."""
    rows = connection.execute(
        """SELECT action, has_table_privilege(%(role)s, c.oid, action), coalesce(array_agg(attname::text)
                    FILTER (WHERE action IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                              AND has_column_privilege(%(role)s, c.oid, attnum, action)), '{}')
             FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped,
                  unnest(%(actions)s::text[]) AS action
            WHERE relname = %(table)s AND relnamespace = 'public'::regnamespace GROUP BY 1, 2, c.oid""",
        {"role": role, "table": table, "actions": list(ACTIONS)},
    )
    return {action: set() if whole else set(columns) for action, whole, columns in rows if whole or columns}


def _parsed(said: str) -> dict[str, set[str]]:
    found = re.findall(r"(\w+)(?: \(([^)]*)\))?(?:, |$)", said)
    return {action: set(columns.split(", ")) if columns else set() for action, columns in found}


REFUSED = {
    "accounts": (
        "UPDATE entries SET amount_minor = 1",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE transfers SET amount_minor = 1",
        "DELETE FROM accounts",
        "ALTER TABLE entries DISABLE TRIGGER USER",
    ),
    "compliance": (
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "SET weir.forgets = 'on'; DELETE FROM case_acts",
        "UPDATE case_files SET content = ''",
        "DELETE FROM filings",
    ),
    "fraud": ("UPDATE version_changes SET changed_by = 'nobody'", "UPDATE versions SET content = ''"),
    "payments": ("DELETE FROM payments", "UPDATE refused_lines SET reason = ''"),
}
REFUSED_EVERYWHERE = (
    "DELETE FROM inbox",
    "UPDATE inbox SET event_id = gen_random_uuid()",
    "TRUNCATE inbox",
    "UPDATE dead_letters SET value = ''",
    "DELETE FROM dead_letters",
    "UPDATE interventions SET actor = 'nobody'",
    "DELETE FROM interventions",
    "UPDATE clients SET client_id = 'nobody'",
    "DELETE FROM consumer_offsets",
    "UPDATE outbox_shards SET shards = 1",
    "CREATE TABLE mine (one int)",
    "CREATE TEMP TABLE mine (one int)",
    "DROP TABLE outbox",
    "ALTER TABLE inbox ADD COLUMN mine int",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
)


@pytest.fixture
def migrating(parts: Parts) -> Iterator[Runtime]:
    """A service's database and who migrates it: a role may do one thing that this release has no need of."""
    with parts.database(PAYMENTS.name) as owner, parts.role(owner, RUN_TIME) as run:
        role = PAYMENTS.settings(database_url=run).database.username
        settings = PAYMENTS.settings(database_url=owner, database_role=role, **dict(parts.messaging))
        runtime = Runtime(PAYMENTS, settings)
        runtime.migrate()
        runtime.unit.administer(lambda tx: execute(tx, f'GRANT DELETE ON payments TO "{role}"'))
        yield runtime
        runtime.engine.dispose()


def may_still(runtime: Runtime) -> bool:
    """Whether the role may do what this release has no need of. It may do all else in any case."""
    with psycopg.connect(runtime.settings.database_dsn) as connection:
        found = _may(connection, runtime.settings.database_role, "payments")
        said = _parsed(said_of(PAYMENTS)["payments"])
        assert found.items() >= said.items()
        return found != said


def test_a_release_that_comes_takes_no_right_from_the_one_at_work_until_it_is_told_to(migrating: Runtime) -> None:
    migrating.migrate()
    assert may_still(migrating)
    migrating.migrate(revokes=True)
    assert not may_still(migrating)


def test_a_release_that_is_taken_back_to_leaves_the_rights_of_the_newer_one(migrating: Runtime) -> None:
    migrating.unit.administer(
        lambda tx: execute(tx, "UPDATE alembic_version SET version_num = 'next' WHERE version_num LIKE 'payments_%'")
    )
    migrating.migrate(revokes=True)
    assert may_still(migrating)


def test_what_a_service_must_never_do_its_role_can_not(granted: tuple[Service, Settings, Settings]) -> None:
    service, run, _ = granted
    with psycopg.connect(run.database_dsn, autocommit=True) as connection:
        for statement in (*REFUSED_EVERYWHERE, *REFUSED[service.name]):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement.encode())


def forget(runtime: Runtime, kind: retention.RecordKind) -> int:
    return runtime.unit.administer(lambda tx: retention.forget(tx, kind, datetime.now(UTC)))


def test_who_forgets_may_forget_and_nothing_else(parts: Parts) -> None:
    with migrated(parts, COMPLIANCE) as (run, keeps):
        forgetting, serving = Runtime(COMPLIANCE, keeps), Runtime(COMPLIANCE, run)
        for kind in retention.RecordKind:
            assert forget(forgetting, kind) == 0
            with pytest.raises(Outage, match="permission denied"):
                forget(serving, kind)
        with psycopg.connect(keeps.database_dsn, autocommit=True) as connection:
            for statement in ("DELETE FROM audit_entries", "UPDATE cases SET body = ''", "SELECT * FROM desk_users"):
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(statement.encode())
        for runtime in (forgetting, serving):
            runtime.engine.dispose()


@pytest.fixture(scope="module")
def key_store(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """A key store that its owner has prepared: addresses for the owner, for services and for operators."""
    with (
        parts.database("keys") as owner,
        parts.role(owner, RUN_TIME) as run,
        parts.role(owner, RUN_TIME + keys.OPERATOR_SUFFIX) as operator,
    ):
        with opened(owner) as store:
            # Twice, as every release does; what it needs no more is taken.
            store.prepare(make_url(run).username)
            store.prepare(make_url(run).username, revokes=True)
        yield owner, run, operator


@contextmanager
def opened(address: str) -> Iterator[KeyStore]:
    engine = database.create(address, pool_size=1)
    try:
        yield KeyStore(engine, MasterKeys({"m1": b"m" * 32}))
    finally:
        engine.dispose()


def said_to(address: str, statement: str) -> None:
    with psycopg.connect(postgres.dsn(address), autocommit=True) as connection:
        connection.execute(statement.encode())


def test_roles_of_the_key_store_may_do_exactly_what_is_said(key_store: tuple[str, str, str]) -> None:
    owner, run, operator = key_store
    with psycopg.connect(postgres.dsn(owner)) as connection:
        assert _relations(connection, "r", "v", "m", "p") == keys.RIGHTS.keys() == keys.OPERATORS_RIGHTS.keys()
        for address, said in ((run, keys.RIGHTS), (operator, keys.OPERATORS_RIGHTS)):
            for table, words in said.items():
                assert _may(connection, make_url(address).username, table) == _parsed(words), f"{address}: {table}"


def test_a_service_makes_keys_and_finds_them_and_an_operator_alone_destroys_them(
    key_store: tuple[str, str, str],
) -> None:
    _, run, operator = key_store
    by = {"actor": "operator", "reason": "asked for"}
    with opened(run) as services, opened(operator) as operators:
        (made,) = services.make(["ann"])
        assert services.find(key_ids=[made.key_id], owners=[]) == [made]
        for refused in (services.rotate, services.destroy):
            with pytest.raises(Outage, match="permission denied"):
                refused("ann", **by)
        assert operators.rotate("ann", **by) == 2
        assert operators.rewrap(**by) == 0
        assert operators.destroy("ann", **by) == 2
    for statement in (
        "UPDATE data_keys SET wrapped = NULL, master_key_id = NULL, destroyed_at = now()",
        "UPDATE data_keys SET owner_id = 'ben'",
        "DELETE FROM data_keys",
        "DELETE FROM key_acts",
        "INSERT INTO key_acts (act, key_count, actor, reason) VALUES ('rotated', 1, 'nobody', '')",
        "SELECT * FROM key_acts",
        "ALTER TABLE key_acts DISABLE TRIGGER USER",
        "CREATE TABLE mine (one int)",
    ):
        with pytest.raises(InsufficientPrivilege):
            said_to(run, statement)
    for statement in ("DELETE FROM data_keys", "DELETE FROM key_acts", "UPDATE data_keys SET owner_id = 'ben'"):
        with pytest.raises(InsufficientPrivilege):
            said_to(operator, statement)


def test_what_was_done_to_keys_is_said_for_good_to_their_owner_too(key_store: tuple[str, str, str]) -> None:
    owner, _, operator = key_store
    with opened(operator) as operators:
        operators.destroy("ben", actor="operator", reason="asked for")
    for statement in ("DELETE FROM key_acts", "UPDATE key_acts SET actor = 'nobody'", "TRUNCATE key_acts"):
        with pytest.raises(CheckViolation, match="final"):
            said_to(owner, statement)


def test_what_the_key_store_s_code_says_its_operators_may_say() -> None:
    said = {table: _parsed(words) for table, words in keys.OPERATORS_RIGHTS.items()}
    found = {
        need
        for node in ast.walk(ast.parse((LIBS / "keys.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for need in needs(node.value)
    }
    assert len(found) > 3 and [need for need in found if not is_met(need, said)] == []


INSERT = re.compile(r"\bINSERT INTO (\w+)(?:.*?DO UPDATE\s+SET (.*))?", re.DOTALL)
UPDATE = re.compile(r"\bUPDATE (\w+)(?: \w+)?\s+SET (.*?)(?:\bFROM\b|\bWHERE\b|\bRETURNING\b|$)", re.DOTALL)
DELETE = re.compile(r"\bDELETE FROM (\w+)")
LOCK = re.compile(r"\bFROM (\w+)(?:(?!\bFROM\b).)*?\bFOR (?:NO KEY UPDATE|UPDATE|SHARE)\b", re.DOTALL)
SET_COLUMN = re.compile(r"(?:^|,)\s*(\w+) =")
LIBS = Path(inspect.getfile(rights)).parent
Need = tuple[str, str, frozenset[str]]
"""An action, its table, and the columns that it sets."""


def needs(statement: str) -> Iterator[Need]:
    for table, columns in INSERT.findall(statement):
        yield "INSERT", table, frozenset()
        if columns:
            yield "UPDATE", table, frozenset(SET_COLUMN.findall(columns))
    for table, columns in UPDATE.findall(statement):
        yield "UPDATE", table, frozenset(SET_COLUMN.findall(columns))
    for table in DELETE.findall(statement):
        yield "DELETE", table, frozenset()
    for table in LOCK.findall(statement):
        yield "UPDATE", table, frozenset()


def is_met(need: Need, said: dict[str, dict[str, set[str]]]) -> bool:
    action, table, columns = need
    allowed = said.get(table, {}).get(action)
    return allowed is not None and (not allowed or columns <= allowed)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_what_the_code_says_to_its_database_it_may_say(service: Service) -> None:
    """A right that is missing shows only where the statement runs: on a path that perhaps no test takes as the role."""
    said = {table: _parsed(words) for table, words in said_of(service).items()}
    folders = [path for path in service.folder.rglob("*.py") if "migrations" not in path.parts]
    found: set[Need] = set()
    for path in [*folders, *LIBS.glob("*.py")]:
        # The first is for a role of its own, the second speaks of what it gives, the third has a database of its own.
        if path.name in ("retention.py", "rights.py") or path == LIBS / "keys.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(needs(node.value))
            elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func) == "Table":
                found.update(_needs_of_table(node))
    # Fixed by `migrate`, which runs as the owner.
    assert {need for need in found if not is_met(need, said)} == {("INSERT", "outbox_shards", frozenset())}
    assert {("DELETE", "idempotency_keys", frozenset()), ("UPDATE", "inbox", frozenset({"outcome"}))} <= found


def _needs_of_table(call: ast.Call) -> Iterator[Need]:
    """What comes of a table that batches write: rows are added, and where columns change they are set."""
    name, *_ = call.args
    assert isinstance(name, ast.Constant)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    changing = given.get("changing")
    if isinstance(changing, ast.Dict):
        columns = {key.value for key in changing.keys if isinstance(key, ast.Constant)}
        yield "UPDATE", str(name.value), frozenset(map(str, columns))
    if isinstance(conflict := given.get("on_conflict"), ast.Constant) and "DO UPDATE" in str(conflict.value):
        yield "UPDATE", str(name.value), frozenset()
    if "fixed" in given:
        yield "INSERT", str(name.value), frozenset()
