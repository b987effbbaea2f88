"""Reports are found by their case, and by the number that one continues; deadlines count from the right day; a list
says when its source was last looked at.
"""

from alembic import op

revision = "compliance_0017"
down_revision = "compliance_0016"
branch_labels = None
depends_on = None

_INDEXES = {
    "filings_of_case": "filings (case_id)",
    "filings_by_number": "filings ((body::json ->> 'document_number')) WHERE status = 'filed' AND kind = 'sar'",
    # A payment that two people refused, for the report on a rejected transfer.
    "cases_refused": "cases ((body::json ->> 'refused_at')) WHERE payment_id IS NOT NULL"
    " AND body::json ->> 'refused_at' IS NOT NULL",
}


def upgrade() -> None:
    op.execute(_LISTS)
    op.execute(CASH_DUE)
    op.execute(CONTINUING_DUE)
    with op.get_context().autocommit_block():
        for name, what in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")


_LISTS = "ALTER TABLE list_imports ADD COLUMN IF NOT EXISTS checked_at timestamptz"

# Those under way, a handful: 15 days after the transactions, not after the day on which somebody noticed.
CASH_DUE = """
UPDATE filings SET due_on = due.due_on,
       body = (filings.body::jsonb || jsonb_build_object('due_on', due.due_on, 'detected_on', due.on_day))::text
  FROM (SELECT filing_id, (body::json #>> '{ctr,transacted_on}')::date AS on_day,
               (body::json #>> '{ctr,transacted_on}')::date + 15 AS due_on
          FROM filings WHERE kind = 'ctr' AND status IN ('draft', 'approved')) AS due
 WHERE filings.filing_id = due.filing_id
"""

# 120 days after the report before, where that was filed here.
CONTINUING_DUE = """
UPDATE filings SET due_on = due.due_on,
       body = jsonb_set(filings.body::jsonb || jsonb_build_object('due_on', due.due_on),
                        '{sar,prior_filed_on}', to_jsonb(due.prior_filed_on))::text
  FROM (SELECT later.filing_id, min((prior.body::json ->> 'filed_on')::date) AS prior_filed_on,
               min((prior.body::json ->> 'filed_on')::date) + 120 AS due_on
          FROM filings AS later
          JOIN filings AS prior ON prior.kind = 'sar' AND prior.status = 'filed'
               AND prior.body::json ->> 'document_number' = later.body::json #>> '{sar,prior_document_number}'
         WHERE later.kind = 'sar' AND later.status IN ('draft', 'approved')
         GROUP BY later.filing_id) AS due
 WHERE filings.filing_id = due.filing_id
"""
