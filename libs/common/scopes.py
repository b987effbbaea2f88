"""What a key may do: every route of an API asks for scopes, and one table per service says which.

A scope is a noun and `read` or `write`, as `refunds:write`. A service's table is its `scopes.py`; a process whose API
has a route that the table doesn't name, or names one that isn't there, doesn't start.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

Scopes = Mapping[str, tuple[str, ...]]
"""`POST /v1/payments` -> the scopes that its caller's key must have, all of them; none: whoever asks."""


class Scope(StrEnum):
    """Scopes that mean the same in every API."""

    READ = "read"
    """Every `…:read` of the API."""
    WRITE = "write"
    """Every `…:write` of the API."""
    STAFF = "staff"
    """Acts for the house: sees what clients must not, and every client's."""


class UndeclaredRoute(Exception):
    """An API and its table of scopes don't name the same routes."""


def allows(granted: Iterable[str], needed: Iterable[str]) -> bool:
    """Whether who was granted the ones has the others."""
    return all(scope in granted or scope.rpartition(":")[2] in granted for scope in needed)


def known(scopes: Scopes) -> list[str]:
    """All that a key of this API may be granted."""
    named = {scope for needed in scopes.values() for scope in needed}
    return [*Scope, *sorted(named - set(Scope))]


def require_declared(scopes: Scopes, routes: Iterable[str]) -> None:
    """Raises UndeclaredRoute unless the table names just these routes."""
    there = set(routes)
    differences = {"without scopes": there - scopes.keys(), "not there": scopes.keys() - there}
    faults = [f"{what}: {', '.join(sorted(found))}" for what, found in differences.items() if found]
    if faults:
        raise UndeclaredRoute("; ".join(faults))
