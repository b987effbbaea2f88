"""Blocked property may be a customer's own: not of a payment, but by the transfer that blocked it."""

from alembic import op

revision = "compliance_0020"
down_revision = "compliance_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_PROPERTY)


_PROPERTY = """
-- Whose it is, where no payment tells that: then payment_id is the transfer.
ALTER TABLE blocked_property ADD COLUMN customer_id uuid;
"""
