"""What operators have done to a service: which command, who, why and when.

Each is written in the transaction of the act, so that there is no act without its record, and never changed after.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record

T = TypeVar("T")


class By(Record):
    """Who does something, and why."""

    actor: str
    reason: str


class Intervention(Record):
    """Something that was done."""

    intervention_id: int
    command: str
    arguments: Mapping[str, Any]
    """What it was done to: ids and numbers, no secrets and nobody's name."""
    actor: str
    reason: str
    done_at: datetime


def record(tx: Connection, command: str, by: By, /, **arguments: Any) -> None:
    """Keep on record what this transaction does."""
    execute(
        tx,
        "INSERT INTO interventions (command, arguments, actor, reason) VALUES (%s, %s, %s, %s)",
        (command, json.dumps(arguments, default=str), by.actor, by.reason),
    )


def recorded(work: Callable[[Connection], T], command: str, by: By, /, **arguments: Any) -> Callable[[Connection], T]:
    """The same work, kept on record unless it says that it has done nothing: by something that is not true."""

    def run(tx: Connection) -> T:
        done = work(tx)
        if done:
            record(tx, command, by, **arguments)
        return done

    return run


def list_newest(tx: Connection, limit: int) -> list[Intervention]:
    """What was done, the newest first."""
    rows = fetch(
        tx,
        """SELECT intervention_id, command, arguments, actor, reason, done_at FROM interventions
            ORDER BY intervention_id DESC LIMIT %s""",
        (limit,),
    )
    return [
        Intervention(
            intervention_id=number,
            command=command,
            arguments=json.loads(arguments),
            actor=actor,
            reason=reason,
            done_at=done_at,
        )
        for number, command, arguments, actor, reason, done_at in rows
    ]


def prune(tx: Connection, *, days: int, rows_max: int) -> int:
    """Forget what was done longest ago, past its time; return how much."""
    ((count,),) = fetch(tx, "SELECT forget_interventions(%s, %s)", (days, rows_max))
    return int(count)
