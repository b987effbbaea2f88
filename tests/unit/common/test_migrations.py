"""What a migration may do while the release before it is at work, by its SQL and squawk (docs/migrations.md)."""

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

ROOT = Path(__file__).parents[3]
RELEASED = {
    *(f"messaging_{number:04}" for number in range(1, 4)),
    *(f"accounts_{number:04}" for number in range(1, 4)),
    *(f"payments_{number:04}" for number in range(1, 3)),
    "fraud_0001",
    *(f"compliance_{number:04}" for number in range(1, 17)),
}
"""Revisions of releases before this one, the first of which had no other beside it. What comes now runs beside them."""
MIGRATIONS = sorted(
    path
    for folder in (
        "libs/common/migrations/versions",
        *(f"services/{p.name}/migrations" for p in ROOT.glob("services/*")),
    )
    for path in (ROOT / folder).glob("[0-9]*.py")
)
NOT_OURS = (
    # Taste: types and names as they are elsewhere in our tables.
    *("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity"),
    *("prefer-robust-stmts", "require-table-schema", "require-enum-value-ordering", "identifier-too-long"),
    # Set for all of them by `migrations.upgrade`.
    "require-timeout-settings",
)
CONTRACTING = ("ban-drop-column", "ban-drop-table", "ban-drop-not-null")
"""What a later release does, when no process that runs uses it any more."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"migration_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sql_of(module: ModuleType) -> str:
    """What a migration would send, with the transaction that `upgrade` puts around it."""
    output = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={"as_sql": True, "output_buffer": output, "transaction_per_migration": True},
    )
    with context.begin_transaction(_per_migration=True), Operations.context(context):
        module.upgrade()
    return output.getvalue()


def faults(sql: str, *, is_contraction: bool = False) -> list[str]:
    """What would hold up, or break, the release that is at work."""
    excluded = ",".join((*NOT_OURS, *(CONTRACTING if is_contraction else ())))
    program = Path(sys.executable).with_name("squawk")
    result = subprocess.run(
        [program, "--pg-version=17.0", f"--exclude={excluded}", "--reporter=json"],
        input=sql, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode in (0, 1), result.stderr
    return [f"{found['rule_name']}: {found['message']}" for found in json.loads(result.stdout or "[]")]


def is_contraction(path: Path) -> bool:
    return "_contract_" in path.name


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_lets_the_release_before_it_go_on(path: Path) -> None:
    module = load(path)
    if module.revision not in RELEASED:
        assert faults(sql_of(module), is_contraction=is_contraction(path)) == []


def test_what_was_released_is_still_there() -> None:
    assert {load(path).revision for path in MIGRATIONS} >= RELEASED


def test_a_release_either_expands_or_contracts_one_database() -> None:
    """What one release stops using, the next may drop: in one release both would break the one before."""
    for folder in {path.parent for path in MIGRATIONS}:
        new = [p for p in MIGRATIONS if p.parent == folder and load(p).revision not in RELEASED]
        assert len({is_contraction(path) for path in new}) <= 1, folder


EXPANSION = """
from alembic import op

def upgrade():
    op.execute("ALTER TABLE payments ADD COLUMN campaign text")
    op.execute("ALTER TABLE payments ADD COLUMN attempts integer NOT NULL DEFAULT 0")
    op.execute("CREATE TABLE campaigns (name text PRIMARY KEY)")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY payments_by_campaign ON payments (campaign)")
"""


def written(upgrade: str) -> str:
    module = ModuleType("written")
    exec(upgrade, module.__dict__)
    return sql_of(module)


def test_what_expands_a_table_is_let_through() -> None:
    assert faults(written(EXPANSION)) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX payments_by_campaign ON payments (campaign)", "require-concurrent-index-creation"),
        (
            "CREATE INDEX CONCURRENTLY payments_by_campaign ON payments (campaign)",
            "ban-concurrent-index-creation-in-transaction",
        ),
        ("DROP INDEX payments_by_client", "require-concurrent-index-deletion"),
        ("ALTER TABLE payments ADD COLUMN campaign text NOT NULL", "adding-required-field"),
        ("ALTER TABLE payments ADD COLUMN campaign uuid DEFAULT gen_random_uuid()", "adding-field-with-default"),
        ("ALTER TABLE payments ALTER COLUMN batch_id SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE payments ALTER COLUMN state TYPE varchar(9)", "changing-column-type"),
        ("ALTER TABLE payments ADD CONSTRAINT is_small CHECK (amount_minor < 9)", "constraint-missing-not-valid"),
        (
            "ALTER TABLE payments ADD CONSTRAINT of FOREIGN KEY (batch_id) REFERENCES batches",
            "adding-foreign-key-constraint",
        ),
        ("ALTER TABLE payments ADD CONSTRAINT once UNIQUE (batch_id)", "disallowed-unique-constraint"),
        ("ALTER TABLE payments RENAME COLUMN state TO status", "renaming-column"),
        ("ALTER TABLE payments RENAME TO orders", "renaming-table"),
        ("ALTER TABLE payments DROP COLUMN batch_id", "ban-drop-column"),
        ("DROP TABLE payments", "ban-drop-table"),
    ],
)
def test_what_would_hold_up_or_break_others_is_refused(statement: str, rule: str) -> None:
    found = faults(written(f'from alembic import op\ndef upgrade():\n    op.execute("{statement}")'))
    assert [fault for fault in found if fault.startswith(f"{rule}: ")], found


def test_only_a_contraction_drops() -> None:
    sql = written('from alembic import op\ndef upgrade():\n    op.execute("ALTER TABLE payments DROP COLUMN batch_id")')
    assert faults(sql) and not faults(sql, is_contraction=True)
