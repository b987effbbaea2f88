"""Clients have several keys, each with a name, scopes and perhaps an end, and may have a rate of their own."""

from alembic import op

revision = "messaging_0002"
down_revision = "messaging_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_KEYS)


_KEYS = """
CREATE TABLE client_keys (
  key_hash bytea PRIMARY KEY,
  client_id text NOT NULL REFERENCES clients,
  name text NOT NULL,
  hint text NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_on date,
  revoked_at timestamptz
);
CREATE INDEX client_keys_by_client ON client_keys (client_id, name);

INSERT INTO client_keys (key_hash, client_id, name, hint, scopes, created_at, revoked_at)
SELECT key_hash, client_id, 'main', '…', scopes, created_at, revoked_at FROM clients;

ALTER TABLE clients
  DROP COLUMN key_hash,
  DROP COLUMN scopes,
  DROP COLUMN revoked_at,
  ADD COLUMN requests_per_second double precision CHECK (requests_per_second > 0),
  ADD COLUMN burst integer CHECK (burst > 0),
  ADD CONSTRAINT rate_is_whole CHECK ((requests_per_second IS NULL) = (burst IS NULL));
"""
