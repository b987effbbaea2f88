"""Every column that could tell of people is in the list of docs/security.md, once, and no other is."""

import importlib
import re
from pathlib import Path

import pytest

from libs.common import database, migrations
from libs.common.database import fetch, transaction
from libs.common.service import Service
from stack.settings import REPOSITORY, SERVICES
from tests.parts import Parts

PAGE = REPOSITORY / "docs" / "security.md"
ROW = re.compile(rf"^\| ({'|'.join(SERVICES)}|every) \| ([^|]+) \|", re.MULTILINE)
COLUMN = re.compile(r"`(\w+\.\w+)`")
_COLUMNS = """
SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
  JOIN information_schema.tables t USING (table_schema, table_name)
 WHERE table_schema = 'public' AND t.table_type = 'BASE TABLE' AND table_name <> 'alembic_version'
   AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'xml', 'bytea', 'ARRAY')"""
"""Of types that can hold a name."""


def listed(service: str) -> list[str]:
    """What the page says a service has, with what all of them have."""
    found = ROW.findall(PAGE.read_text())
    return sorted(column for name, columns in found if name in (service, "every") for column in COLUMN.findall(columns))


@pytest.mark.parametrize("service", SERVICES)
def test_no_column_is_forgotten(parts: Parts, service: str) -> None:
    found: Service = importlib.import_module(f"services.{service}.__main__").SERVICE
    assert columns(parts, found.name, found.folder) == listed(service)


def columns(parts: Parts, name: str, folder: Path) -> list[str]:
    """What a service's migrations make."""
    with parts.database(name) as address:
        engine = database.create(address, pool_size=1)
        try:
            migrations.upgrade(engine, folder)
            with transaction(engine) as tx:
                return sorted(column for (column,) in fetch(tx, _COLUMNS))
        finally:
            engine.dispose()
