"""What a manager asks: how much waits for how long, what is decided in time, what comes of it. Read-only, bounded."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from libs.common.record import Record, replace
from services.compliance.queries import COUNTED_MAX

WINDOW = timedelta(days=90)
"""How far back what has ended is looked at."""
ENDED_LOOKED_AT_MAX = 20_000
"""Of that, the newest."""


class Age(StrEnum):
    """For how long a case has waited."""

    DAY = "up to a day"
    THREE_DAYS = "1 to 3 days"
    WEEK = "3 to 7 days"
    MONTH = "7 to 30 days"
    LONGER = "longer"


class Backlog(Record):
    """The cases that have waited for so long, by their priority, and how many of them are overdue."""

    age: Age
    by_priority: tuple[int, int, int]
    overdue: int

    @property
    def count(self) -> int:
        return sum(self.by_priority)


class Speed(Record):
    """How the cases of a priority were decided: how many in time, and how long it took."""

    priority: int
    decided: int = 0
    """By two people, within WINDOW."""
    in_time: int = 0
    """Of those, by their time."""
    undecided: int = 0
    """Nobody decided them, and they ended at their time or later: reviews that timed out."""
    overdue: int = 0
    """They wait still, and their time is over; counted up to COUNTED_MAX."""
    median: timedelta | None = None
    slow: timedelta | None = None
    """What nine in ten that were decided took at most."""

    @property
    def in_time_percent(self) -> int | None:
        """Of all whose time is over or who were decided before."""
        judged = self.decided + self.undecided + self.overdue
        return round(100 * self.in_time / judged) if judged else None


class ReasonShare(Record):
    """How cases with a reason were decided."""

    reason: str
    decided: int
    approved: int
    """False alarms: the payment went on, the customer is served, the alert is explained."""

    @property
    def false_percent(self) -> int:
        return round(100 * self.approved / self.decided)


class Reporting(Record):
    """From an alert to a report. For those alone who may know of reports."""

    decided: int
    """Cases of alerts that two people have decided."""
    reported: int
    """Of those, how many were reported."""
    median_days: int | None
    """From a case's opening to its report's filing."""


class Overview(Record):
    """What waits, and what came of what has ended."""

    backlog: tuple[Backlog, ...]
    speeds: tuple[Speed, ...]
    reasons: tuple[ReasonShare, ...]


def find_overview(engine: Engine, now: datetime) -> Overview:
    """What waits now, and what has been decided within WINDOW."""
    with transaction(engine) as tx:
        return Overview(
            backlog=tuple(_backlog(tx, now)), speeds=tuple(_speeds(tx, now)), reasons=tuple(_reasons(tx, now))
        )


def find_reporting(engine: Engine, now: datetime) -> Reporting:
    """What was reported of what monitoring has raised."""
    with transaction(engine) as tx:
        ((decided, reported, median),) = fetch(
            tx,
            f"""SELECT count(*), count(f.filed_on),
                       percentile_disc(0.5) WITHIN GROUP (ORDER BY f.filed_on - d.opened_on)
                  FROM (SELECT case_id, opened_at::date AS opened_on {_DECIDED} AND customer_id IS NOT NULL
                           AND body::json -> 'alerts' IS NOT NULL ORDER BY ended_at DESC LIMIT %s) AS d
                  LEFT JOIN LATERAL (SELECT min((body::json ->> 'filed_on')::date) AS filed_on FROM filings
                                      WHERE filings.case_id = d.case_id AND filings.status = 'filed') AS f ON true""",
            (now - WINDOW, ENDED_LOOKED_AT_MAX),
        )
    return Reporting(decided=decided, reported=reported, median_days=median)


_DECIDED = "FROM cases WHERE opened_at IS NOT NULL AND status = 'resolved' AND ended_at >= %s"


def _backlog(tx: Connection, now: datetime) -> list[Backlog]:
    rows = fetch(
        tx,
        """SELECT width_bucket(extract(epoch FROM %s - clock_from) / 86400, ARRAY[1, 3, 7, 30]::float[]), priority,
                  count(*), count(*) FILTER (WHERE due_at < %s)
             FROM (SELECT clock_from, priority, due_at FROM cases
                    WHERE opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed') LIMIT %s) AS waiting
            GROUP BY 1, 2""",
        (now, now, COUNTED_MAX),
    )
    counts = {(bucket, priority): (count, overdue) for bucket, priority, count, overdue in rows}
    return [
        Backlog(
            age=age,
            by_priority=(
                counts.get((bucket, 1), (0, 0))[0],
                counts.get((bucket, 2), (0, 0))[0],
                counts.get((bucket, 3), (0, 0))[0],
            ),
            overdue=sum(counts.get((bucket, priority), (0, 0))[1] for priority in (1, 2, 3)),
        )
        for bucket, age in enumerate(Age)
    ]


_MISSED = """(ended_at >= due_at OR EXISTS (
  SELECT FROM case_acts a
   WHERE a.case_id = cases.case_id AND a.kind = 'closed' AND right(a.note, 16) = 'review_timed_out'))"""
"""Of cases that nobody decided: that they ended for that, whatever two clocks say."""


def _speeds(tx: Connection, now: datetime) -> list[Speed]:
    """What was decided late, what nobody decided in time, and what waits too long, weigh the same."""
    ended = fetch(
        tx,
        f"""SELECT priority, count(*) FILTER (WHERE is_decided),
                   count(*) FILTER (WHERE is_decided AND ended_at <= due_at), count(*) FILTER (WHERE NOT is_decided),
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY ended_at - clock_from) FILTER (WHERE is_decided),
                   percentile_cont(0.9) WITHIN GROUP (ORDER BY ended_at - clock_from) FILTER (WHERE is_decided)
              FROM (SELECT priority, ended_at, due_at, clock_from, status = 'resolved' AS is_decided FROM cases
                     WHERE opened_at IS NOT NULL AND ended_at >= %s
                       AND status IN ('resolved', 'closed') AND (status = 'resolved' OR {_MISSED})
                     ORDER BY ended_at DESC LIMIT %s) AS ended
             GROUP BY priority""",
        (now - WINDOW, ENDED_LOOKED_AT_MAX),
    )
    waiting = fetch(
        tx,
        """SELECT priority, count(*) FROM (
             SELECT priority FROM cases
              WHERE opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed') AND due_at < %s LIMIT %s
           ) AS overdue GROUP BY priority""",
        (now, COUNTED_MAX),
    )
    overdue: dict[int, int] = dict(waiting)
    names = "priority", "decided", "in_time", "undecided", "median", "slow"
    found = {row[0]: Speed(**dict(zip(names, row, strict=True))) for row in ended}
    speeds = (found.get(priority, Speed(priority=priority)) for priority in sorted(found.keys() | overdue.keys()))
    return [replace(speed, overdue=overdue.get(speed.priority, 0)) for speed in speeds]


def _reasons(tx: Connection, now: datetime) -> list[ReasonShare]:
    rows = fetch(
        tx,
        f"""SELECT reason, count(*), count(*) FILTER (WHERE decision = 'approve')
              FROM (SELECT reasons, body::json ->> 'decision' AS decision {_DECIDED}
                     ORDER BY ended_at DESC LIMIT %s) AS decided, unnest(reasons) AS reason
             GROUP BY reason ORDER BY count(*) DESC, reason""",
        (now - WINDOW, ENDED_LOOKED_AT_MAX),
    )
    return [ReasonShare(reason=reason, decided=decided, approved=approved) for reason, decided, approved in rows]
