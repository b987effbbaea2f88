"""A version in the shadow beside what was really answered, over the payments of some days."""

from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from libs.common.record import Record
from schemas.fraud.events import VersionKind
from services.fraud.queries.rules import counted

DAYS = 7
DAYS_MAX = 31
COMPARED_MAX = 100_000
"""Payments that are compared while somebody waits: the newest."""


class Window(Record):
    """The instants between which payments were judged."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None, *, now: datetime) -> Self:
        """The last days before its end, which is now, where nothing else is said."""
        end = until or now
        return cls(since=since or end - timedelta(days=DAYS), until=end)

    @property
    def is_sensible(self) -> bool:
        return timedelta(0) < self.until - self.since <= timedelta(days=DAYS_MAX)


# Not by the version itself: another kind in the shadow was judged together with it while it was live.
_COMPARE = """
WITH newest AS (
  SELECT payment_id, outcome, rules FROM shadow_verdicts
   WHERE {column} = %s AND judged_at >= %s AND judged_at < %s ORDER BY judged_at DESC LIMIT %s
), compared AS (
  SELECT a.outcome AS live, n.outcome AS shadow, n.rules, a.label
    FROM newest n JOIN assessments a USING (payment_id) WHERE a.{column} IS DISTINCT FROM %s
)
SELECT live, shadow, NULL, count(*), count(*) FILTER (WHERE label = 'fraud'), count(*) FILTER (WHERE label = 'genuine')
  FROM compared GROUP BY live, shadow
UNION ALL
SELECT NULL, NULL, rule, count(*), count(*) FILTER (WHERE label = 'fraud'), count(*) FILTER (WHERE label = 'genuine')
  FROM compared, unnest(rules) AS rule GROUP BY rule
UNION ALL
SELECT NULL, NULL, NULL, count(*), 0, 0 FROM newest
 ORDER BY 1, 2, 3"""
_COLUMNS = {VersionKind.RULEBOOK: "rules_version", VersionKind.MODEL: "model_version"}


def compare(engine: Engine, kind: VersionKind, version: str, window: Window) -> dict[str, Any]:
    """How a version would have answered, beside what was answered, and how its rules would have done."""
    statement = _COMPARE.format(column=_COLUMNS[kind])
    with transaction(engine) as tx:
        rows = fetch(tx, statement, (version, window.since, window.until, COMPARED_MAX, version))
    pairs = [row for row in rows if row[0] is not None]
    (read,) = [row[3] for row in rows if row[0] is None and row[2] is None]
    return {
        "version": version,
        "since": window.since,
        "until": window.until,
        "payments": sum(row[3] for row in pairs),
        "is_complete": read < COMPARED_MAX,
        "outcomes": [
            {
                "live": live,
                "shadow": shadow,
                "payments": payments,
                "labelled_fraud": frauds,
                "labelled_genuine": genuine,
            }
            for live, shadow, _, payments, frauds, genuine in pairs
        ],
        "rules": [{"rule": row[2], **counted(row[3:])} for row in rows if row[2] is not None],
    }
