"""Reports on property, which may be about no case: blocked, rejected, and once a year all that is held."""

from alembic import op

revision = "compliance_0010"
down_revision = "compliance_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_PROPERTY)


_PROPERTY = """
-- A payment that was blocked without anybody's being asked has no case, and a year has none either.
ALTER TABLE filings DROP CONSTRAINT filings_case_id_fkey;
ALTER TABLE filings DROP CONSTRAINT filings_kind_check;
ALTER TABLE filings ADD CONSTRAINT filings_kind_check
  CHECK (kind IN ('sar', 'ctr', 'blocked', 'rejected', 'annual')) NOT VALID;
ALTER TABLE filings VALIDATE CONSTRAINT filings_kind_check;
-- Property is reported once.
CREATE UNIQUE INDEX filings_on_property ON filings (case_id, kind)
  WHERE kind IN ('blocked', 'rejected', 'annual') AND status <> 'withdrawn';
CREATE INDEX blocked_property_by_time ON blocked_property (blocked_at, payment_id);
"""
