"""Whose things a client may see and touch: a client is a tenant. Pure."""


def may_touch(owner_id: str | None, tenant_id: str | None) -> bool:
    """Whether what belongs to a client is there for a tenant; None is the house as owner, and staff as who asks.

    What belongs to the house is there for all whom it serves. What is another tenant's doesn't exist: who asks for it
    must not learn that it does.
    """
    return tenant_id is None or owner_id is None or owner_id == tenant_id
