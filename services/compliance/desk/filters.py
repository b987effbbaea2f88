"""Which cases someone asks for, from a page's address or a program's request."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query

from services.compliance.queries import CaseFilter, CaseKind, Queue, Sort

DAYS_MAX = 3_650


def filtered() -> Any:
    """A dependency, as a parameter's default: what was asked for. What is left empty on a form is no filter."""
    return Depends(_filter)


def _filter(
    queue: Annotated[Queue, Query()] = Queue.OPEN,
    sort: Annotated[Sort, Query()] = Sort.URGENCY,
    kind: Annotated[CaseKind | str, Query(max_length=20)] = "",
    reason: Annotated[str, Query(max_length=40, pattern="^[a-z_]*$")] = "",
    priority: Annotated[str, Query(pattern="^(P?[123])?$")] = "",
    assignee: Annotated[str, Query(max_length=40)] = "",
    older_than_days: Annotated[str, Query(pattern="^[0-9]{0,4}$")] = "",
    overdue: Annotated[str, Query(pattern="^(true|false)?$")] = "",
) -> CaseFilter:
    return CaseFilter(
        queue=queue,
        sort=sort,
        kind=CaseKind(kind) if kind in set(CaseKind) else None,
        reason=reason or None,
        priority=int(priority[-1]) if priority else None,
        assignee=assignee or None,
        older_than_days=int(older_than_days) if older_than_days else None,
        is_overdue=overdue == "true" if overdue else None,
    )


def filter_address(wanted: CaseFilter) -> str:
    """The words of an address that ask for the same, but for the queue."""
    words = {
        "sort": wanted.sort.value,
        "kind": wanted.kind and wanted.kind.value,
        "reason": wanted.reason,
        "priority": wanted.priority and f"P{wanted.priority}",
        "assignee": wanted.assignee,
        "older_than_days": wanted.older_than_days,
        "overdue": None if wanted.is_overdue is None else str(wanted.is_overdue).lower(),
    }
    return urlencode({name: word for name, word in words.items() if word is not None})
