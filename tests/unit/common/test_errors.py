"""Poison or outage: what is buried, and what is waited for."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from libs.common.codec import Undecodable
from libs.common.errors import Outage, Poison, is_poison

POISON = [
    errors.UniqueViolation,
    errors.CheckViolation,
    errors.NotNullViolation,
    errors.ForeignKeyViolation,
    errors.InvalidTextRepresentation,
    errors.NumericValueOutOfRange,
    errors.CharacterNotInRepertoire,
    errors.StringDataRightTruncation,
    psycopg.DataError,
]
OUTAGES = [
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
    errors.QueryCanceled,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.TooManyConnections,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.UndefinedTable,
    errors.InsufficientPrivilege,
]


@pytest.mark.parametrize("kind", POISON)
def test_what_a_message_is_to_blame_for_is_poison(kind: type[psycopg.Error]) -> None:
    assert is_poison(kind("…"))
    assert is_poison(DBAPIError("…", None, kind("…")))


@pytest.mark.parametrize("kind", [*OUTAGES, psycopg.OperationalError, psycopg.InterfaceError])
def test_everything_else_from_the_database_is_waited_for(kind: type[psycopg.Error]) -> None:
    assert not is_poison(kind("…"))
    assert not is_poison(OperationalError("…", None, kind("…")))


@pytest.mark.parametrize(
    "error",
    [Outage("…"), TimeoutError("…"), InterfaceError("…", None, Exception("…")), ConnectionError("…"), ValueError("…")],
)
def test_what_is_not_known_to_be_poison_is_not(error: Exception) -> None:
    assert not is_poison(error)


@pytest.mark.parametrize("error", [Poison("…"), Undecodable("…")])
def test_what_says_that_it_is_poison_is(error: Exception) -> None:
    assert is_poison(error)
