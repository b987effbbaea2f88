"""The next release of Weir, made from this one: a field more in an event, and a column more in a table."""

import json
import re
import shutil
from pathlib import Path

import psycopg

from operate import topics
from schemas.payments.events import PaymentInitiated
from stack.settings import REPOSITORY, StackSettings

FIELD = "campaign"
VALUE = "spring"
_MIRROR = re.compile(r"(class PaymentInitiated\(Event\):\n(?:    .*\n)+)")
_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
# As docs/migrations.md has it: what is added is null for those who don't know it, and its index holds nobody up.
_EXPANSION = '''"""What brought the client here."""

from alembic import op

revision = "payments_next"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE payments ADD COLUMN {field} text")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY payments_by_{field} ON payments ({field}) WHERE {field} IS NOT NULL")
'''


def write(folder: Path) -> Path:
    """A copy of what services run from, with the field in its schema and mirror, and a column that payments fills.

    Returns where it is.
    """
    for name in ("libs", "services", "schemas"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    schema_path = folder / "schemas" / "payments" / "PaymentInitiated.avsc"
    schema = json.loads(schema_path.read_text())
    schema["fields"].append(
        {"name": FIELD, "doc": "What brought the client here.", "type": ["null", "string"], "default": None}
    )
    schema_path.write_text(json.dumps(schema, indent=2))
    _replace(folder / "schemas" / "payments" / "events.py", _MIRROR, rf"\1    {FIELD}: str | None = None\n")
    _expand(folder / "services" / "payments")
    return folder


def _expand(payments: Path) -> None:
    """A migration after the last, and a store that writes what it adds."""
    before = _REVISION.search(max((payments / "migrations").glob("[0-9]*.py")).read_text())
    assert before is not None, "payments' last migration does not say which it is"
    (payments / "migrations" / "9999_next.py").write_text(_EXPANSION.format(before=before[1], field=FIELD))
    store = payments / "store.py"
    _replace(store, re.compile(r"(_PAYMENTS = Table\((?:.*\n)+?    fixed=\{\n)"), rf'\1        "{FIELD}": "text",\n')
    _replace(
        store,
        re.compile(r"(def _payment_row\(.*\n    return \(\n        payment\.payment_id,\n)"),
        rf'\1        "{VALUE}",\n',
    )


def _replace(path: Path, pattern: re.Pattern[str], by: str) -> None:
    text, count = pattern.subn(by, path.read_text())
    assert count == 1, f"{path.name}: what the next release changes is not where it was"
    path.write_text(text)


def was_seen(settings: StackSettings) -> bool:
    """Whether payments have been published and stored by both: their records begin with the ids of two schemas."""
    topic, name = PaymentInitiated.contract.topic.name, PaymentInitiated.__name__
    recorded = topics.read(settings.messaging(), [topic])
    versions = {event.value[:5] for event in recorded if event.event_type == name}
    with psycopg.connect(settings.database_url("payments").replace("+psycopg", "")) as connection:
        stored = connection.execute(f"SELECT DISTINCT {FIELD} FROM payments".encode()).fetchall()
    return len(versions) >= 2 and set(stored) == {(None,), (VALUE,)}
