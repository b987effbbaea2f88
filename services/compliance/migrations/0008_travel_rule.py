"""What the travel rule asks to be known about payments, and what of it is missing."""

from alembic import op

revision = "compliance_0008"
down_revision = "compliance_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_TRAVEL_RULE)


_TRAVEL_RULE = """
ALTER TABLE screenings ADD COLUMN missing text[] NOT NULL DEFAULT '{}';

-- Payments that leave the house or come in and that a rule asks about, with their orders and what was told since.
CREATE TABLE travel_records (
  payment_id uuid PRIMARY KEY,
  body text NOT NULL
);
"""
