"""Pairs of the whitelist come by files, too: one change of many pairs, which waits for a second person."""

from alembic import op

revision = "compliance_0021"
down_revision = "compliance_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_CHANGES)


_CHANGES = """
ALTER TABLE rule_changes DROP CONSTRAINT rule_changes_kind_check;
ALTER TABLE rule_changes ADD CONSTRAINT rule_changes_kind_check
  CHECK (kind IN ('import_list', 'retire_list', 'import_countries', 'import_whitelist', 'set_parameters'));
"""
