"""A key of a backup may do no more than it might when the backup was restored, and no more than when it was made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack.carried_over import Key, narrowed

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BEFORE, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)


def key(**given: Any) -> Key:
    return Key("shop", "till", given.get("scopes", ["read"]), given.get("expires_at"), given.get("revoked_at"))


@pytest.mark.parametrize(
    ("restored", "current", "allowed"),
    [
        ({}, {}, {}),
        ({}, {"revoked_at": NOW}, {"revoked_at": NOW}),
        ({"revoked_at": BEFORE}, {}, {"revoked_at": BEFORE}),
        ({"revoked_at": BEFORE}, {"revoked_at": NOW}, {"revoked_at": BEFORE}),
        ({}, {"expires_at": NOW}, {"expires_at": NOW}),
        ({"expires_at": NOW}, {}, {"expires_at": NOW}),
        ({"expires_at": LATER}, {"expires_at": NOW}, {"expires_at": NOW}),
        ({"expires_at": NOW}, {"expires_at": LATER}, {"expires_at": NOW}),
        ({"scopes": ["read", "staff"]}, {"scopes": ["read"]}, {"scopes": ["read"]}),
        ({"scopes": ["read"]}, {"scopes": ["read", "staff"]}, {"scopes": ["read"]}),
        ({"scopes": ["read"]}, {"scopes": ["payments:read"]}, {"scopes": ["payments:read"]}),
        ({"scopes": ["payments:read"]}, {"scopes": ["read", "write"]}, {"scopes": ["payments:read"]}),
        ({"scopes": ["read"]}, {"scopes": ["read", "payments:read"]}, {"scopes": ["read"]}),
        ({"scopes": ["write"]}, {"scopes": ["read"]}, {"scopes": []}),
    ],
)
def test_a_key_is_allowed_what_both_databases_allow_it(
    restored: dict[str, Any], current: dict[str, Any], allowed: dict[str, Any]
) -> None:
    assert narrowed(key(**restored), key(**current)) == key(**allowed)
