"""Customers are looked for by the numbers of their documents: pairs of who they are without those hold on."""

from alembic import op

revision = "compliance_0022"
down_revision = "compliance_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_COLUMN)


_COLUMN = """
-- As `party`, but without the customer's official number; NULL if none is known.
ALTER TABLE customers ADD COLUMN named_party uuid;
"""
