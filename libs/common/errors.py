"""The two kinds of failure that must never be taken for one another.

An outage is the world's fault: it is waited for, and the same work is done again. Poison is a
message's fault: it will fail however often it is tried, so it goes to the dead letters and the
stream goes on. Everything that is not known to be poison is an outage.
"""

import psycopg
from sqlalchemy.exc import DBAPIError

_POISON_CLASSES = ("22", "23")
"""SQLSTATE classes of a message's own making: a value that doesn't fit, a constraint that is broken."""


class Outage(Exception):
    """Something we need is away: broker, registry, database, disk. Wait, and try the same again."""


class TooSlow(Outage):
    """The database gave a statement up after its time: perhaps it is busy, perhaps the batch is too large for it."""


class KeysAway(Outage):
    """The key store did not answer. Who needs no key of it need not wait."""


class Poison(Exception):
    """This message can't be applied: not decodable, or what it asks is impossible."""


def is_poison(error: BaseException) -> bool:
    """Whether an error was the message's fault. Raised by Postgres: SQLSTATE classes 22 and 23 only."""
    if isinstance(error, DBAPIError):
        return is_poison(error.orig) if error.orig is not None else False
    if isinstance(error, psycopg.DataError):
        # Class 22, and the same faults found by the driver before Postgres could: those have no SQLSTATE.
        return True
    if isinstance(error, psycopg.Error):
        return (error.sqlstate or "")[:2] in _POISON_CLASSES
    return isinstance(error, Poison)
