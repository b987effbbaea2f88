"""What people and programs ask about compliance: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common import ids
from libs.common.database import fetch, transaction
from libs.common.fields import YEAR_MAX, YEAR_MIN
from libs.common.record import Record
from services.compliance.domain.alike import ALIKE_MAX, likeness_of
from services.compliance.domain.case import Act, ActKind, Case
from services.compliance.domain.people import Permission, Role, may
from services.compliance.domain.work import Screening
from services.compliance.store.screenings import SCREENINGS, screening_of

PAGE_LENGTH = 25
COUNTED_MAX = 20_000
RELATED_MAX = 10
RELATED_LOOKED_AT_MAX = 2_000
"""Cases of the same customers."""
NOBODY = "-"
"""In place of a name: cases that nobody has taken."""
USERS_MAX = 1_000

decode_case = msgspec.json.Decoder(Case).decode


class Queue(StrEnum):
    """What of all cases is shown."""

    OPEN = "open"
    """Waiting for someone to propose a decision, now."""
    SNOOZED = "snoozed"
    """Put off for a time."""
    PROPOSED = "proposed"
    """Waiting for a second person."""
    CLOSED = "closed"
    """Decided, or settled by itself."""


class CaseKind(StrEnum):
    """What a case is about."""

    PAYMENT = "payment"
    CUSTOMER = "customer"


class Sort(StrEnum):
    """What comes first of what waits."""

    URGENCY = "urgency"
    """By priority, and then by when it is due."""
    DUE = "due"
    AGE = "age"


class CaseFilter(Record, omit_defaults=True):
    """Which cases of a queue, and in which order."""

    queue: Queue = Queue.OPEN
    sort: Sort = Sort.URGENCY
    kind: CaseKind | None = None
    reason: str | None = None
    priority: int | None = None
    assignee: str | None = None
    older_than_days: int | None = None
    is_overdue: bool | None = None


class Cursor(Record):
    """Where a page goes on: after the case with these values."""

    at: datetime
    case_id: str
    priority: int | None = None


class OpenCounts(Record):
    """What waits, as far as it is worth counting."""

    by_priority: dict[int, int]
    overdue: int
    unassigned: int
    mine: int


class Page(Record):
    """Some cases, and where to go on."""

    cases: tuple[Case, ...]
    next_cursor: str | None


_WAITING = "opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed')"
_CONDITIONS = {
    Queue.OPEN: f"{_WAITING} AND status <> 'proposed' AND snoozed_until IS NULL",
    Queue.SNOOZED: f"{_WAITING} AND snoozed_until IS NOT NULL",
    Queue.PROPOSED: f"{_WAITING} AND status = 'proposed'",
    Queue.CLOSED: "opened_at IS NOT NULL AND status IN ('resolved', 'closed')",
}
_ORDERS = {Sort.URGENCY: ("priority", "due_at"), Sort.DUE: ("due_at",), Sort.AGE: ("clock_from",)}


def list_lists(engine: Engine) -> list[dict[str, Any]]:
    """The live version of every list."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT list_name, import_id, format, source, content_hash, dated_on, party_count, name_count,
                      imported_by, imported_at, checked_at
                 FROM list_imports WHERE is_live ORDER BY list_name""",
        )
    return [
        {
            "list_name": list_name,
            "version": import_id,
            "format": list_format,
            "source": source,
            "sha256": content_hash,
            "dated_on": dated_on,
            "parties": party_count,
            "names": name_count,
            "imported_by": imported_by,
            "imported_at": imported_at,
            "checked_at": checked_at,
        }
        for (
            list_name,
            import_id,
            list_format,
            source,
            content_hash,
            dated_on,
            party_count,
            name_count,
            imported_by,
            imported_at,
            checked_at,
        ) in rows
    ]


def list_users(engine: Engine) -> list[dict[str, Any]]:
    """Everybody who may sign in at the desk, and then those who may no more."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT username, role, created_at, disabled_at, oidc_subject IS NOT NULL,
                      (SELECT max(seen_at) FROM desk_sessions s WHERE s.username = u.username)
                 FROM desk_users u ORDER BY disabled_at IS NOT NULL, username LIMIT %s""",
            (USERS_MAX,),
        )
    return [
        {
            "username": username,
            "role": role,
            "created_at": created_at,
            "disabled_at": disabled_at,
            "is_vouched": is_vouched,
            "seen_at": seen_at,
        }
        for username, role, created_at, disabled_at, is_vouched, seen_at in rows
    ]


def list_workers(engine: Engine) -> list[str]:
    """Those let in at the desk whom a case may be assigned to."""
    roles = [role.value for role in Role if may(role, Permission.WORK_CASES)]
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            "SELECT username FROM desk_users WHERE role = ANY(%s) AND disabled_at IS NULL ORDER BY username LIMIT %s",
            (roles, USERS_MAX),
        )
    return [username for (username,) in rows]


def list_cases(
    engine: Engine, wanted: CaseFilter, now: datetime, *, cursor: Cursor | None = None, limit: int = PAGE_LENGTH
) -> Page:
    """A page of cases: those that wait as they are sorted, those that have ended the latest first."""
    is_closed = wanted.queue is Queue.CLOSED
    columns = ("ended_at",) if is_closed else _ORDERS[wanted.sort]
    direction, beyond = ("DESC", "<") if is_closed else ("ASC", ">")
    conditions, values = _narrowed(wanted, now)
    key = ", ".join((*columns, "case_id"))
    if cursor is not None and (cursor.priority is not None) == (columns[0] == "priority"):
        after = (*(() if cursor.priority is None else (cursor.priority,)), cursor.at, cursor.case_id)
        conditions += f" AND ({key}) {beyond} ({', '.join(['%s'] * len(after))})"
        values += after
    order = ", ".join(f"{column} {direction}" for column in (*columns, "case_id"))
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT body, {key} FROM cases WHERE {_CONDITIONS[wanted.queue]}{conditions} ORDER BY {order} LIMIT %s",
            (*values, limit + 1),
        )
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        cases=tuple(decode_case(row[0]) for row in rows[:limit]), next_cursor=_cursor_text(last[1:]) if last else None
    )


def _narrowed(wanted: CaseFilter, now: datetime) -> tuple[str, tuple[Any, ...]]:
    """Conditions besides the queue's, each with its value."""
    given: list[tuple[str, Any]] = []
    if wanted.kind is not None:
        given.append(("(payment_id IS NOT NULL) = %s", wanted.kind is CaseKind.PAYMENT))
    if wanted.reason is not None:
        given.append(("%s = ANY(reasons)", wanted.reason))
    if wanted.priority is not None:
        given.append(("priority = %s", wanted.priority))
    if wanted.assignee is not None:
        nobody, name = "(taken_by IS NULL) = %s", "taken_by = %s"
        given.append((nobody, True) if wanted.assignee == NOBODY else (name, wanted.assignee))
    if wanted.older_than_days is not None:
        given.append(("clock_from < %s", now - timedelta(days=wanted.older_than_days)))
    if wanted.is_overdue is not None:
        given.append(("(due_at < %s)" if wanted.is_overdue else "(due_at >= %s)", now))
    return "".join(f" AND {condition}" for condition, _ in given), tuple(value for _, value in given)


def _cursor_text(key: Sequence[Any]) -> str:
    *before, at, case_id = key
    return "_".join((*map(str, before), at.isoformat(), case_id))


def parse_cursor(text: str) -> Cursor | None:
    """Where a page goes on, from what the page before it said; None if that is no such thing."""
    priority, _, rest = text.partition("_") if text.count("_") > 1 else ("", "", text)
    found = parse_moment_cursor(rest)
    if found is None or (priority and priority not in {"1", "2", "3"}):
        return None
    at, case_id = found
    return Cursor(at=at, case_id=case_id, priority=int(priority) if priority else None)


def parse_moment_cursor(text: str) -> tuple[datetime, str] | None:
    """The same where a page goes by moments."""
    at, _, id_ = text.rpartition("_")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    is_ours = ids.is_id(id_) and moment.tzinfo is not None and YEAR_MIN <= moment.year <= YEAR_MAX
    return (moment, id_) if is_ours else None


def count_cases(engine: Engine) -> dict[Queue, int]:
    """How many cases wait, as far as it is worth counting: COUNTED_MAX stands for as many or more."""
    with transaction(engine) as tx:
        return {queue: _count_cases(tx, queue) for queue in (Queue.OPEN, Queue.SNOOZED, Queue.PROPOSED)}


def _count_cases(tx: Connection, queue: Queue) -> int:
    ((count,),) = fetch(
        tx,
        f"SELECT count(*) FROM (SELECT FROM cases WHERE {_CONDITIONS[queue]} LIMIT %s) AS waiting",
        (COUNTED_MAX,),
    )
    return int(count)


def count_open(engine: Engine, username: str, now: datetime) -> OpenCounts:
    """What of the open cases is how urgent, overdue, nobody's, and this person's."""
    with transaction(engine) as tx:
        ((p1, p2, p3, overdue, unassigned, mine),) = fetch(
            tx,
            f"""SELECT count(*) FILTER (WHERE priority = 1), count(*) FILTER (WHERE priority = 2),
                       count(*) FILTER (WHERE priority = 3), count(*) FILTER (WHERE due_at < %s),
                       count(*) FILTER (WHERE taken_by IS NULL), count(*) FILTER (WHERE taken_by = %s)
                  FROM (SELECT priority, due_at, taken_by FROM cases
                         WHERE {_CONDITIONS[Queue.OPEN]} LIMIT %s) AS waiting""",
            (now, username, COUNTED_MAX),
        )
    return OpenCounts(by_priority={1: p1, 2: p2, 3: p3}, overdue=overdue, unassigned=unassigned, mine=mine)


def parse_day_cursor(text: str) -> tuple[date, str] | None:
    """The same where a page goes by days."""
    due, _, id_ = text.partition("_")
    try:
        return (date.fromisoformat(due), id_) if ids.is_id(id_) else None
    except ValueError:
        return None


def find_case(engine: Engine, case_id: str) -> Case | None:
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM cases WHERE case_id = %s AND opened_at IS NOT NULL", (case_id,))
    return decode_case(rows[0][0]) if rows else None


def list_alike(engine: Engine, case: Case) -> list[Case]:
    """Cases that wait with the same reasons and the same hits as this one, itself among them; the most urgent first."""
    likeness = likeness_of(case)
    if likeness is None:
        return []
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT body FROM cases WHERE likeness = %s AND {_WAITING}
                 ORDER BY priority, due_at, case_id LIMIT %s""",
            (likeness, ALIKE_MAX),
        )
    return [decode_case(body) for (body,) in rows]


def list_related(engine: Engine, case: Case, customer_ids: Iterable[str]) -> list[Case]:
    """Other cases about the same customers: those that wait first, then the newest."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT body FROM cases WHERE opened_at IS NOT NULL AND case_id <> %s AND case_id IN (
                  SELECT case_id FROM case_words WHERE word = ANY(%s) LIMIT %s)
                ORDER BY ended_at DESC NULLS FIRST, case_id DESC LIMIT %s""",
            (case.case_id, list(customer_ids), RELATED_LOOKED_AT_MAX, RELATED_MAX),
        )
    return [decode_case(body) for (body,) in rows]


def find_file(engine: Engine, case_id: str, number: int) -> bytes | None:
    """What is in a file of a case."""
    with transaction(engine) as tx:
        rows = fetch(
            tx, "SELECT content FROM case_files WHERE case_id = %s AND number = %s", (case_id, number), binary=True
        )
    return bytes(rows[0][0]) if rows else None


def list_acts(engine: Engine, case_id: str) -> list[Act]:
    """What was done with a case, in order."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT case_id, number, kind, actor, acted_at, decision, note, taken_from FROM case_acts
                WHERE case_id = %s ORDER BY number""",
            (case_id,),
        )
    return [
        msgspec.convert(
            {
                "case_id": id_,
                "number": number,
                "kind": ActKind(kind),
                "actor": actor,
                "acted_at": acted_at,
                "decision": decision,
                "note": note,
                "taken_from": taken_from,
            },
            Act,
        )
        for id_, number, kind, actor, acted_at, decision, note, taken_from in rows
    ]


def find_screening(engine: Engine, payment_id: str) -> Screening | None:
    """What was answered about a payment, with the entries of the lists it was likened to."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT {SCREENINGS.select} FROM screenings WHERE payment_id = %s",
            (payment_id,),
        )
    return screening_of(rows[0]) if rows else None
