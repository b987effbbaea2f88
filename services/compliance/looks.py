"""What programs and operators are shown: each time a look in the audit log, which is there before they have the answer.

What people are shown at the desk is put down by its guard (desk/guard.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from libs.common.fields import Filters
from libs.common.http import Caller
from libs.common.service import Runtime
from services.compliance.domain.audit import CLIENT, AuditVerb, ObjectKind, Signature
from services.compliance.store import audit

Show = Callable[..., Any]
_LOOK = "look"
_ABOUT = ("payment_id", "customer_id")
"""What a request may name that it asks about."""


def put_down(runtime: Runtime, by: Signature, kind: ObjectKind, object_id: str = "", details: str = "") -> None:
    """Put down that somebody is shown something, in a transaction of its own. Raises Outage: then they are not.

    The log is never changed: `details` must hold ids and words of ours, and nobody's data.
    """
    happening = by.happening(datetime.now(UTC), AuditVerb.LOOKED, kind, object_id, details)
    runtime.unit.administer(lambda tx: audit.append(tx, happening))


def shown(runtime: Runtime, kind: ObjectKind, told: Callable[[Any], str] = lambda _: "") -> Callable[[Show], Show]:
    """Declares what a route of programs shows, and has each answer put down once it is known; a refusal shows nothing.

    One look for each answer, whatever it holds: what was asked about, how it was narrowed down, and what `told` says
    of the answer.
    """

    def declare(show: Show) -> Show:
        @wraps(show)
        def answered(*, who: Caller, **asked: Any) -> Any:
            answer = show(who=who, **asked)
            by = Signature(actor=who.client.client_id, role=CLIENT)
            filters = asked.get("filters")
            given = filters.model_dump(mode="json", exclude_unset=True) if isinstance(filters, Filters) else {}
            named = {**asked, **given}
            object_id = next((named[name] for name in _ABOUT if named.get(name)), "")
            put_down(runtime, by, kind, object_id, urlencode(given) or told(answer))
            return answer

        setattr(answered, _LOOK, kind)
        return answered

    return declare


def declared(show: Show) -> ObjectKind | None:
    """What a route shows, as it says itself; None if it shows nothing."""
    found: ObjectKind | None = getattr(show, _LOOK, None)
    return found
