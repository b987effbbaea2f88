"""How risky each customer is, when people look at it again, and when its document is asked about."""

from alembic import op

revision = "compliance_0009"
down_revision = "compliance_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_DILIGENCE)


_DILIGENCE = """
ALTER TABLE customers ADD COLUMN rating text, ADD COLUMN review_on date, ADD COLUMN ask_at timestamptz;
CREATE INDEX customers_unrated ON customers (customer_id) WHERE rating IS NULL;
CREATE INDEX customers_to_review ON customers (review_on, customer_id) WHERE status <> 'closed';
CREATE INDEX customers_to_check ON customers (ask_at) WHERE ask_at IS NOT NULL;
"""
