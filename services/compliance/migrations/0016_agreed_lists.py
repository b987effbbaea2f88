"""Ends of payments that nobody was asked about end themselves; lists of countries take two people; versions of lists
say when they were replaced, and which of them a second person has agreed to.
"""

from alembic import op

revision = "compliance_0016"
down_revision = "compliance_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_CASES)
    op.execute(_CHANGES)
    op.execute(_LISTS)


_CASES = """
-- They say only that a payment was cancelled before anybody was asked, and had no end: nobody could be erased.
UPDATE cases SET ended_at = date_trunc('second', now()),
       body = (body::jsonb || jsonb_build_object(
         'ended_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))::text
 WHERE opened_at IS NULL AND ended_at IS NULL AND status = 'closed';
CREATE INDEX cases_of_customer ON cases (customer_id) WHERE customer_id IS NOT NULL;
"""

_CHANGES = """
ALTER TABLE rule_changes DROP CONSTRAINT rule_changes_kind_check;
ALTER TABLE rule_changes ADD CONSTRAINT rule_changes_kind_check
  CHECK (kind IN ('import_list', 'retire_list', 'import_countries', 'set_parameters'));
"""

_LISTS = """
-- What a new version has lost is held against those that were in force lately, since two people last agreed.
ALTER TABLE list_imports
  ADD COLUMN replaced_at timestamptz,
  ADD COLUMN is_agreed boolean NOT NULL DEFAULT false;
UPDATE list_imports i SET replaced_at = coalesce(
         (SELECT min(n.imported_at) FROM list_imports n WHERE n.list_name = i.list_name AND n.import_id > i.import_id),
         i.imported_at)
 WHERE NOT is_live;
"""
