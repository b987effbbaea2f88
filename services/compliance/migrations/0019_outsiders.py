"""Who of a payment's parties is elsewhere stands beside what was answered, for monitoring."""

from alembic import op

revision = "compliance_0019"
down_revision = "compliance_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_OUTSIDERS)


_OUTSIDERS = """
-- Pseudonyms and countries; NULL where both parties are customers.
ALTER TABLE screenings ADD COLUMN outsiders text;
"""
