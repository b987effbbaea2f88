"""What must never be changed may be forgotten once the law no longer asks for it; the audit log never is."""

from alembic import op

revision = "compliance_0007"
down_revision = "compliance_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_REFUSE_CHANGE)


_REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME <> 'audit_entries' AND current_setting('weir.forgets', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only: what was done stays on record', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;
"""
