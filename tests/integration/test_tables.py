"""What stores say of their tables, against the tables: names, types, and nothing left out that must be given."""

from types import ModuleType

import pytest

from libs.common import dead_letters, idempotency, inbox, outbox, parking
from libs.common.database import fetch, transaction
from libs.common.service import Service
from libs.common.writes import Table
from services.accounts import __main__ as accounts
from services.accounts import store as accounts_store
from services.compliance import __main__ as compliance
from services.compliance.store import (
    audit,
    cases,
    customers,
    filings,
    lists,
    looking_back,
    monitoring,
    parties,
    rule_changes,
    screenings,
    standards,
    travel,
    watching,
    whitelist,
)
from services.fraud import __main__ as fraud
from services.fraud.store import assessments, entities, tallies, versions
from services.fraud.store import lists as fraud_lists
from services.payments import __main__ as payments
from services.payments import store as payments_store
from tests.parts import Parts

TYPES = {"timestamp with time zone": "timestamptz", "numeric(30,0)": "bigint"}
"""What is written, where it is not what is kept: sums of whole numbers may outgrow what each of them fits in."""

COMPLIANCE_STORES = (
    *(audit, cases, customers, filings, lists, looking_back, monitoring, parties),
    *(rule_changes, screenings, standards, travel, watching, whitelist),
)
EVERYWHERE = (dead_letters, idempotency, inbox, outbox, parking)
STORES = [
    (accounts.SERVICE, (accounts_store,)),
    (compliance.SERVICE, COMPLIANCE_STORES),
    (fraud.SERVICE, (assessments, entities, fraud_lists, tallies, versions)),
    (payments.SERVICE, (payments_store, *EVERYWHERE)),
]


@pytest.mark.parametrize(("service", "modules"), STORES, ids=lambda value: getattr(value, "name", ""))
def test_tables_are_as_stores_say(parts: Parts, service: Service, modules: tuple[ModuleType, ...]) -> None:
    tables = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    assert tables
    with parts.runtime(service) as runtime, transaction(runtime.engine) as tx:
        for table in tables:
            rows = fetch(
                tx,
                """SELECT attname, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = ''
                     FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped""",
                (table.name,),
            )
            types = {name: TYPES.get(type_, type_) for name, type_, _ in rows}
            assert table.columns.items() <= types.items(), table.name
            is_inserted = table.columns != table.updated or table.on_conflict
            needed = {name for name, _, is_needed in rows if is_needed}
            assert not is_inserted or needed <= table.columns.keys(), table.name
