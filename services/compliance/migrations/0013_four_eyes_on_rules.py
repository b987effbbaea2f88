"""Changes of rules by which less may be found wait for a second person; customers are found by who they are."""

from alembic import op

revision = "compliance_0013"
down_revision = "compliance_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_CHANGES)


_CHANGES = """
CREATE TABLE rule_changes (
  change_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('import_list', 'retire_list', 'set_parameters')),
  about text NOT NULL,
  proposed_at timestamptz NOT NULL,
  status text NOT NULL CHECK (status IN ('proposed', 'confirmed', 'turned_down')),
  body text NOT NULL
);
CREATE INDEX rule_changes_waiting ON rule_changes (proposed_at, change_id) WHERE status = 'proposed';

-- What is to be imported by a change, for as long as it waits.
CREATE TABLE rule_change_contents (
  change_id uuid PRIMARY KEY REFERENCES rule_changes,
  content bytea NOT NULL
);

ALTER TABLE whitelist_pairs ADD COLUMN is_waiting boolean NOT NULL DEFAULT false;
UPDATE whitelist_pairs SET is_waiting = true WHERE state = 'proposed';

-- A hash of all that is known of a customer, as pairs of the whitelist have it; NULL until it is written next.
ALTER TABLE customers ADD COLUMN party uuid;
CREATE INDEX customers_by_party ON customers (party) WHERE party IS NOT NULL;
"""
