"""What tables tell of how compliance keeps up: cases by their age, lists, who is still to be looked at."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from libs.common.database import fetch
from services.compliance.lists.shipped import SHIPPED_BY, SHIPPED_NAME
from services.compliance.matching.screening import MATCHER_VERSION
from services.compliance.store import lists

MEASURED_MAX = 20_000
LISTS_MAX = 100
_AGES = {"under_1h": timedelta(hours=1), "under_1d": timedelta(days=1), "under_3d": timedelta(days=3)}
_OLDEST = "over_3d"
AGES = (*_AGES, _OLDEST)
_WAITING = "opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed')"


def count_cases_by_age(tx: Connection, now: datetime) -> Mapping[str, float]:
    """Cases that wait for people, by how long they have; counting stops where it is no longer worth it."""
    rows = fetch(
        tx,
        f"""SELECT CASE WHEN opened_at > %s THEN 'under_1h' WHEN opened_at > %s THEN 'under_1d'
                        WHEN opened_at > %s THEN 'under_3d' ELSE 'over_3d' END, count(*)
             FROM (SELECT opened_at FROM cases WHERE {_WAITING} LIMIT %s) AS waiting GROUP BY 1""",
        (*(now - age for age in _AGES.values()), MEASURED_MAX),
    )
    return dict.fromkeys(AGES, 0.0) | {age: float(count) for age, count in rows}


def count_overdue_cases(tx: Connection, now: datetime) -> int:
    """Cases that should have been decided by now, counted alike."""
    ((count,),) = fetch(
        tx,
        f"SELECT count(*) FROM (SELECT FROM cases WHERE {_WAITING} AND due_at < %s LIMIT %s) AS overdue",
        (now, MEASURED_MAX),
    )
    return int(count)


def list_ages(tx: Connection, now: datetime) -> tuple[Mapping[str, float], Mapping[str, float], int]:
    """Seconds since each list was last brought in, changed or not; since the day that it gives itself, where it gives
    one; and how many lists there are. The fictional one, which nobody updates, has no age.
    """
    rows = fetch(
        tx,
        """SELECT list_name, coalesce(checked_at, imported_at), dated_on, list_name = %s AND imported_by = %s
             FROM list_imports WHERE is_live ORDER BY imported_at LIMIT %s""",
        (SHIPPED_NAME, SHIPPED_BY, LISTS_MAX),
    )
    real = [(name, checked_at, dated_on) for name, checked_at, dated_on, is_shipped in rows if not is_shipped]
    checked = {name: (now - checked_at).total_seconds() for name, checked_at, _ in real}
    dated = {name: (now - midnight).total_seconds() for name, _, on in real if (midnight := _midnight(on)) is not None}
    return checked, dated, len(rows)


def _midnight(day: str | None) -> datetime | None:
    """When a day began that a list gives; None if it gives none, or one that is none."""
    try:
        return datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
    except ValueError:
        return None


def count_outdated_customers(tx: Connection) -> int:
    """Customers still to be screened against the newest lists by the newest matcher, counted alike."""
    ((count,),) = fetch(
        tx,
        """SELECT count(*) FROM (
             SELECT FROM customers WHERE (matcher_version, catalogue_version) < (%s, %s) AND status <> 'closed' LIMIT %s
           ) AS outdated""",
        (MATCHER_VERSION, lists.find_catalogue_version(tx), MEASURED_MAX),
    )
    return int(count)


def monitoring_behind_seconds(tx: Connection, now: datetime) -> float:
    """For how long the first has waited of those whom monitoring should have looked at by now."""
    ((wake_at,),) = fetch(tx, "SELECT min(wake_at) FROM watched_customers WHERE wake_at <= %s", (now,))
    return (now - wake_at).total_seconds() if wake_at is not None else 0.0
