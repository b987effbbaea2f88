"""Transfers between the same two parties that appear to be linked, for as long as they do."""

from alembic import op

revision = "compliance_0015"
down_revision = "compliance_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_LINKED)


_LINKED = """
-- By a hash of who pays whom: no names.
CREATE TABLE linked_transfers (
  pair_id uuid PRIMARY KEY,
  last_at timestamptz NOT NULL,
  body text NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX linked_transfers_by_age ON linked_transfers (last_at);
"""
