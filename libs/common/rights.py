"""What the roles of a database may do with its tables: said in one place, and given by `migrate`.

The owner of the tables migrates and does nothing else. Services run as another role, which may do
what its code does and no more; records that only the law's time ends are deleted by a third. What a release no longer
needs is taken by `migrate --revoke`, when none before it is at work any more.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection

from libs.common.database import execute, fetch

Rights = Mapping[str, str]
"""By table: what may be done, as GRANT says it. A table that a role has no business with has none: an empty text."""

NOTHING: Rights = MappingProxyType({})
RETENTION_SUFFIX = "_retention"
"""After a service's role: who may delete what has been kept for as long as the law asks."""

READ, APPEND, WRITE = "SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE"
QUEUE = "SELECT, INSERT, DELETE"
ALL = "SELECT, INSERT, UPDATE, DELETE"

MESSAGING: Rights = {
    "alembic_version": "",
    "outbox": QUEUE,
    "outbox_id_seq": READ,
    "outbox_parked": ALL,
    # Fixed by `migrate`, for good.
    "outbox_shards": READ,
    "outbox_debezium": "",
    # What was once received stays received: forgotten, it could be applied again. How it went may be set. What no topic
    # holds any more, and letters settled long ago, the owner's functions forget (messaging_0003).
    "inbox": "SELECT, INSERT, UPDATE (outcome)",
    "consumer_offsets": WRITE,
    "dead_letters": "SELECT, INSERT, UPDATE (status, settled_at, settled_by)",
    "parked_keys": ALL,
    "parked_messages": QUEUE,
    "clients": "SELECT, INSERT, UPDATE (requests_per_second, burst)",
    "client_keys": WRITE,
    "idempotency_keys": QUEUE,
    "rewinds": QUEUE,
    # What was done stays on record, whoever did it; what is old, the owner's function forgets (messaging_0004).
    "interventions": APPEND,
}
"""What every service's role may do with the tables that every service has."""


def give(tx: Connection, role: str, rights: Rights) -> None:
    """Let a role do this, besides what it could do before. To be run by the tables' owner.

    The release before this one may still be at work as the same role: nothing that it needs is taken away.
    """
    name = quoted(role)
    ((database,),) = fetch(tx, "SELECT quote_ident(current_database())")
    execute(tx, f"GRANT CONNECT ON DATABASE {database} TO {name}")
    for table, actions in rights.items():
        if actions:
            execute(tx, f"GRANT {actions} ON {table} TO {name}")


def take(tx: Connection, role: str) -> None:
    """Take from a role all it may do with tables, to be given anew in the same transaction. By the tables' owner."""
    for kind in ("TABLES", "SEQUENCES"):
        execute(tx, f"REVOKE ALL ON ALL {kind} IN SCHEMA public FROM {quoted(role)}")


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
