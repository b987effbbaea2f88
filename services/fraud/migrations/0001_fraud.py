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
  blocked bytea NOT NULL,
  label_sequence bigint NOT NULL,
  -- The features worker's newest snapshot.
  risk bytea,
  PRIMARY KEY (kind, entity_id)
) WITH (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
-- At most 4 kB, rewritten at every payment: kept in the page, uncompressed, with room for the next version beside it.
ALTER TABLE entities ALTER COLUMN history SET STORAGE MAIN, ALTER COLUMN blocked SET STORAGE MAIN;

CREATE TABLE assessments (
  payment_id uuid PRIMARY KEY,
  debtor_account_id uuid NOT NULL,
  creditor_account_id uuid NOT NULL,
  device_entity_id uuid,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  channel text NOT NULL,
  instructed_at timestamptz NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('allow', 'review', 'block')),
  score float8 NOT NULL,
  findings text,
  rules_version text NOT NULL,
  model_version text,
  model_score float8,
  -- What it was judged by, as MessagePack, in the order of the fields of its rulebook and its model.
  values bytea NOT NULL,
  debtor_snapshot_version bigint,
  creditor_snapshot_version bigint,
  is_remembered boolean NOT NULL,
  assessed_at timestamptz NOT NULL,
  label text CHECK (label IN ('fraud', 'genuine')),
  scenario text,
  labelled_at timestamptz,
  sequence bigint NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX assessments_labelled ON assessments (creditor_account_id, instructed_at) WHERE label IS NOT NULL;

-- What is brought is kept for good: an assessment of years ago names the versions that made it.
CREATE TABLE versions (
  version_id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('rulebook', 'model')),
  version text NOT NULL,
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('draft', 'shadow', 'live', 'retired')),
  content bytea NOT NULL,
  fields text[] NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL,
  sequence bigint NOT NULL
);
CREATE INDEX versions_of_kind ON versions (kind, added_at, version_id);
CREATE INDEX versions_in_use ON versions (kind, state) WHERE state IN ('live', 'shadow');

CREATE TABLE version_changes (
  change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version_id text NOT NULL REFERENCES versions,
  state text NOT NULL,
  changed_by text NOT NULL,
  reason text NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX version_changes_of_version ON version_changes (version_id, change_id);

CREATE TABLE list_entries (
  entry_id text PRIMARY KEY,
  kind entity_kind NOT NULL,
  entity_id uuid NOT NULL,
  list_name text NOT NULL,
  reason text NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL,
  until timestamptz,
  sequence bigint NOT NULL
);
CREATE INDEX list_entries_of_entity ON list_entries (entity_id, kind);
CREATE INDEX list_entries_of_list ON list_entries (list_name, entry_id);

CREATE TABLE shadow_verdicts (
  payment_id uuid NOT NULL,
  rules_version text NOT NULL,
  model_version text,
  model_score float8,
  outcome text NOT NULL,
  score float8 NOT NULL,
  rules text[] NOT NULL,
  judged_at timestamptz NOT NULL
);
-- They come in the order of their age, and go in it.
CREATE INDEX shadow_verdicts_by_age ON shadow_verdicts USING brin (judged_at);
CREATE INDEX shadow_verdicts_of_payment ON shadow_verdicts (payment_id);
CREATE INDEX shadow_verdicts_of_rulebook ON shadow_verdicts (rules_version, judged_at);
CREATE INDEX shadow_verdicts_of_model ON shadow_verdicts (model_version, judged_at) WHERE model_version IS NOT NULL;

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
