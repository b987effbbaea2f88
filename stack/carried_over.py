"""What was taken away since a backup was made: it stays taken away when that is restored, and on record.

Of clients, people, and those who were erased. Nothing is given: what a restored database allows, and the one that it
replaces does not, it allows no more. What operators have done since is on record in it as well, and the restore itself
is. Whatever else they differ in is as it was when the backup was made.
"""

import getpass
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from libs.common.scopes import allows
from stack import postgres
from stack.settings import KEYS, SERVICES, StackSettings

NAMED_MAX = 20
"""Of clients or people: so many are named, and the others counted."""
DESK = "compliance"
"""Whose database knows people besides clients."""
SEEN_LATER_MAX = timedelta(hours=1)
"""A row is dated by the beginning of its transaction, and seen from its end on."""


class Key(NamedTuple):
    """How a client's key stands."""

    client_id: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None
    revoked_at: datetime | None


class Restoring(NamedTuple):
    """What is brought back."""

    file: str
    is_signed: bool


def carry_over(settings: StackSettings, service: str, draft: str, restoring: Restoring) -> list[str]:
    """Take away in a restored database, which has another name yet, what was taken away in the one it replaces.

    Returns what an operator must know of it, a line each: above all where it could not be found out.
    """
    if service not in (*SERVICES, KEYS):
        return []
    owner = postgres.owner_of(service)
    replaced, restored = (postgres.dsn(settings.database_url(name, owner)) for name in (service, draft))
    notes: list[str] = []
    try:
        with psycopg.connect(replaced) as now, psycopg.connect(restored) as then:
            notes += _erased(now, then) if service == KEYS else _let_in(service, now, then)
    except psycopg.Error as error:
        lost = _LOST_OF_KEYS if service == KEYS else _LOST.format(service=service)
        notes.append(f"{lost}: {str(error).strip().splitlines()[0]}")
    if service in SERVICES:
        with psycopg.connect(restored) as then:
            _record(then, restoring)
    return notes


_LOST = "Whom {service} has let in no more since cannot be found out; revoke and disable again"
_LOST_OF_KEYS = "Who has been erased since cannot be found out; erase them again"


def _let_in(service: str, now: psycopg.Connection, then: psycopg.Connection) -> Iterator[str]:
    yield from _keys(now, then)
    if service == DESK:
        yield from _people(now, then)
    # Whatever becomes of the record.
    then.commit()
    if _has_interventions(now) and _has_interventions(then):
        _add_later(now, then, "interventions", "command, arguments, actor, reason, done_at", "done_at")


def _add_later(now: psycopg.Connection, then: psycopg.Connection, table: str, columns: str, at: str) -> None:
    """Add the rows of a record that is only added to which came since; what they tell of is as it was before."""
    ((last,),) = then.execute(f"SELECT max({at}) FROM {table}".encode()).fetchall()
    since = last and last - SEEN_LATER_MAX
    later = f"SELECT {columns} FROM {table} WHERE %s::timestamptz IS NULL OR {at} > %s ORDER BY {at}".encode()
    kept = set(then.execute(later, (since, since)).fetchall())
    rows = [row for row in now.execute(later, (since, since)).fetchall() if row not in kept]
    places = ", ".join(["%s"] * (columns.count(",") + 1))
    then.cursor().executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})".encode(), rows)


def _has_interventions(connection: psycopg.Connection) -> bool:
    """Not those of a release before there were any."""
    return connection.execute("SELECT to_regclass('interventions') IS NOT NULL").fetchall() == [(True,)]


def _record(then: psycopg.Connection, restoring: Restoring) -> None:
    if _has_interventions(then):
        then.execute(
            "INSERT INTO interventions (command, arguments, actor, reason) VALUES ('restore', %s, %s, '')",
            (json.dumps({"file": restoring.file, "signed": restoring.is_signed}), _operator()),
        )


def _operator() -> str:
    """Who is at this machine."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _erased(now: psycopg.Connection, then: psycopg.Connection) -> Iterator[str]:
    """Whose keys were destroyed since stays erased, and what was done to keys on record."""
    destroyed = now.execute("SELECT destroyed_at, key_id FROM data_keys WHERE destroyed_at IS NOT NULL").fetchall()
    again = then.cursor()
    again.executemany(
        """UPDATE data_keys SET wrapped = NULL, master_key_id = NULL, destroyed_at = %s
            WHERE key_id = %s AND destroyed_at IS NULL""",
        destroyed,
    )
    then.commit()
    _add_later(now, then, "key_acts", "act, owner_id, key_count, actor, reason, acted_at", "acted_at")
    if again.rowcount > 0:
        yield f"Keys destroyed since, and so again: {again.rowcount}"


def _keys(now: psycopg.Connection, then: psycopg.Connection) -> Iterator[str]:
    current, restored = _keys_of(now), _keys_of(then)
    tighter = {key_hash: narrowed(key, current[key_hash]) for key_hash, key in restored.items() if key_hash in current}
    changed = {key_hash: key for key_hash, key in tighter.items() if key != restored[key_hash]}
    then.cursor().executemany(
        "UPDATE client_keys SET scopes = %s, expires_at = %s, revoked_at = %s WHERE key_hash = %s",
        [(key.scopes, key.expires_at, key.revoked_at, key_hash) for key_hash, key in changed.items()],
    )
    if changed:
        yield f"Ended, revoked or narrowed since, and so again: {_named(map(_label, changed.values()))}"
    lost = [key for key_hash, key in current.items() if key_hash not in restored and key.revoked_at is None]
    if lost:
        yield f"Made since, and known no more (give new ones): {_named(map(_label, lost))}"


def narrowed(restored: Key, current: Key) -> Key:
    """A key of a backup, that may no more than it might when the backup was restored."""
    ends = [at for at in (restored.expires_at, current.expires_at) if at is not None]
    revoked = [at for at in (restored.revoked_at, current.revoked_at) if at is not None]
    # `read` of the one is `payments:read` where that is all that the other has.
    common = [scope for scope in restored.scopes if allows(current.scopes, [scope])]
    common += [scope for scope in current.scopes if not allows(common, [scope]) and allows(restored.scopes, [scope])]
    return restored._replace(scopes=common, expires_at=min(ends, default=None), revoked_at=min(revoked, default=None))


def _keys_of(connection: psycopg.Connection) -> Mapping[bytes, Key]:
    rows = connection.execute("SELECT key_hash, client_id, name, scopes, expires_at, revoked_at FROM client_keys")
    return {key_hash: Key(*key) for key_hash, *key in rows}


def _label(key: Key) -> str:
    return f"{key.client_id} ({key.name})"


def _people(now: psycopg.Connection, then: psycopg.Connection) -> Iterator[str]:
    # Whoever has signed out, or was signed out, since.
    then.execute("DELETE FROM desk_sessions")
    current, restored = _people_of(now), _people_of(then)
    disabled = [name for name, person in current.items() if person[0] and name in restored and not restored[name][0]]
    then.cursor().executemany(
        "UPDATE desk_users SET disabled_at = %s WHERE username = %s", [(current[name][0], name) for name in disabled]
    )
    if disabled:
        yield f"Disabled since, and so again: {_named(disabled)}"
    changed = [name for name, person in restored.items() if name in current and person[1:] != current[name][1:]]
    if changed:
        yield f"Whose role or password has changed since, and is the old one (set it again): {_named(changed)}"


def _people_of(connection: psycopg.Connection) -> Mapping[str, tuple[Any, ...]]:
    rows = connection.execute("SELECT username, disabled_at, role, password_hash FROM desk_users ORDER BY username")
    return {username: tuple(person) for username, *person in rows}


def _named(names: Iterable[str]) -> str:
    named = sorted(set(names))
    more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
    return ", ".join(named[:NAMED_MAX]) + more
