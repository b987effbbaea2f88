"""What fraud remembers of entities, its answers with what they turned out to be, and how its rules did."""

from alembic import op

revision = "fraud_0001"
down_revision = None
branch_labels = ("fraud",)
depends_on = None


def upgrade() -> None:
    op.execute(_TABLES)


_TABLES = """
CREATE TYPE entity_kind AS ENUM ('debtor', 'creditor', 'device');

CREATE TABLE entities (
  kind entity_kind NOT NULL,
  entity_id uuid NOT NULL,
  history bytea NOT NULL,
  label_days bytea NOT NULL,
  label_sequence bigint NOT NULL,
  risk_version bigint,
  risk_labelled_count bigint,
  risk_fraud_count bigint,
  risk_window_days integer,
  risk_as_of_micros bigint,
  PRIMARY KEY (kind, entity_id)
) WITH (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
-- At most 4 kB, rewritten at every payment: kept in the page, uncompressed, with room for the next version beside it.
ALTER TABLE entities ALTER COLUMN history SET STORAGE MAIN, ALTER COLUMN label_days SET STORAGE MAIN;

CREATE TABLE assessments (
  payment_id uuid PRIMARY KEY,
  debtor_account_id uuid NOT NULL,
  creditor_account_id uuid NOT NULL,
  instructed_at timestamptz NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('allow', 'review', 'block')),
  score float8 NOT NULL,
  findings text,
  rules_version text NOT NULL,
  risk_version bigint,
  assessed_at timestamptz NOT NULL,
  label text CHECK (label IN ('fraud', 'genuine')),
  scenario text,
  labelled_at timestamptz,
  sequence bigint NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX assessments_labelled ON assessments (creditor_account_id, instructed_at) WHERE label IS NOT NULL;

-- Counted in slots, so that two workers don't wait for one another's commits; their sum is what counts.
CREATE TABLE tallies (
  rules_version text NOT NULL,
  counted text NOT NULL,
  slot smallint NOT NULL,
  payments bigint NOT NULL,
  frauds bigint NOT NULL,
  genuine bigint NOT NULL,
  PRIMARY KEY (slot, rules_version, counted)
) WITH (fillfactor = 50);
"""
