"""When a customer was served no more: from then on runs the time for which the law has it kept."""

from alembic import op

revision = "accounts_0002"
down_revision = "accounts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_CLOSED_AT)


_CLOSED_AT = """
ALTER TABLE customers ADD COLUMN closed_at timestamptz;
-- Since when is not known: kept too long is better than too short.
UPDATE customers SET closed_at = now() WHERE status = 'closed';
"""
