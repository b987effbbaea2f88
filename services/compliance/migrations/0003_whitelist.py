"""Pairs of party and listed entry that two people have found to be different ones."""

from alembic import op

revision = "compliance_0003"
down_revision = "compliance_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_WHITELIST)


_WHITELIST = """
CREATE TABLE whitelist_pairs (
  pair_id uuid PRIMARY KEY,
  party uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('proposed', 'in_force', 'ended')),
  until timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  body text NOT NULL
);
CREATE INDEX whitelist_pairs_of_party ON whitelist_pairs (party);
CREATE INDEX whitelist_pairs_by_state ON whitelist_pairs (state, changed_at DESC, pair_id DESC);
"""
