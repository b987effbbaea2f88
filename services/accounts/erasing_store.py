"""What accounts has of a customer who is erased, and until when the law has it kept."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.record import replace
from schemas.accounts.events import CustomerPersonalData

KEPT = timedelta(days=5 * 366)
"""After the customer was served no more: 31 CFR 1010.430(d), 1020.220(a)(3)(ii)."""
_NOBODY = msgspec.json.encode(CustomerPersonalData(name="")).decode()


def identify(tx: Connection, whom: Whom) -> Whom:
    """With the accounts of the customer."""
    rows = fetch(tx, "SELECT account_id FROM accounts WHERE customer_id = %s ORDER BY account_id", (whom.customer_id,))
    return replace(whom, account_ids=tuple(account_id for (account_id,) in rows))


def obstacles(tx: Connection, whom: Whom, now: datetime) -> list[str]:
    """A customer who is still served, or was until lately, is kept."""
    rows = fetch(tx, "SELECT status, closed_at FROM customers WHERE customer_id = %s", (whom.customer_id,))
    if not rows:
        return ["there is no such customer"]
    ((status, closed_at),) = rows
    if closed_at is None:
        return [f"the customer is {status}: close the accounts, and then the customer, before"]
    if closed_at > now - KEPT:
        return [f"who the customer was is kept until {(closed_at + KEPT).date()} (31 CFR 1010.430(d))"]
    return []


def blank(tx: Connection, erasure: Erasure) -> Mapping[str, int]:
    """What was registered readable, and what its accounts were labelled with."""
    customer_id = erasure.whom.customer_id
    customers = execute(
        tx,
        "UPDATE customers SET personal = %s WHERE customer_id = %s AND personal ->> 'ciphertext' IS NULL",
        (_NOBODY, customer_id),
    )
    accounts = execute(
        tx, "UPDATE accounts SET metadata = NULL WHERE customer_id = %s AND metadata IS NOT NULL", (customer_id,)
    )
    return {"customers": customers, "accounts": accounts}


ERASER = Eraser(identify=identify, obstacles=obstacles, blank=blank)
