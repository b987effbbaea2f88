"""Customers are found by who they are without their official numbers."""

from alembic import op

revision = "compliance_0023"
down_revision = "compliance_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS customers_by_named_party")
        op.execute(_INDEX)


_INDEX = """
CREATE INDEX CONCURRENTLY customers_by_named_party ON customers (named_party) WHERE named_party IS NOT NULL
"""
