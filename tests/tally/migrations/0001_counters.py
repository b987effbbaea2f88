"""Counters, none of which may pass a million."""

from alembic import op

revision = "tally_0001"
down_revision = None
branch_labels = ("tally",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """CREATE TABLE counters (
             counter_id text PRIMARY KEY, total bigint NOT NULL CHECK (total < 1000000), sequence bigint NOT NULL)"""
    )
