"""Clients: whose an account is, and what each may order in a day and has, where that has a limit."""

from alembic import op

revision = "payments_0002"
down_revision = "payments_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE known_accounts ADD COLUMN client_id text")
    op.execute(_QUOTAS)


_QUOTAS = """
CREATE TABLE quotas (
  client_id text NOT NULL,
  measure text NOT NULL,
  used_on date NOT NULL,
  used bigint NOT NULL CHECK (used >= 0),
  most bigint CHECK (most >= 0),
  PRIMARY KEY (client_id, measure)
) WITH (fillfactor = 50);
"""
