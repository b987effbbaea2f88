"""Screening everybody anew because somebody asks for it: as if all lists had changed."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.store import audit, customers, lists


def rescreen(tx: Connection, *, by: Signature) -> int:
    """Have the workers look all customers up again, and payments that wait or settled lately; put that down.

    Nothing that was remembered counts: it is known by the version of all lists, which is a new one. Returns how many
    customers that are served there are.
    """
    lists.lock_catalogue(tx)
    lists.renew_catalogue(tx)
    count = customers.count_served(tx)
    ordered = by.happening(datetime.now(UTC), AuditVerb.RESCREENING_ORDERED, ObjectKind.LISTS, details=in_words(count))
    audit.append(tx, ordered)
    return count


def in_words(count: int) -> str:
    served = f"{count:,} customer{'' if count == 1 else 's'}"
    return f"{served} will be looked up again, and payments that wait or settled lately"
