"""What was ordered stands beside what was answered, and a list's change is followed by one mark that moves on.

A payment has one row for both, and one that has settled is written again only if something new is found.
"""

from alembic import op

revision = "compliance_0012"
down_revision = "compliance_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_ORDERS)
    op.execute(_LOOKING_BACK)
    op.execute(_REFUSED)


_ORDERS = """
-- An order is kept for WEIR_LOOK_BACK_DAYS. Nobody's is whose data came encrypted: it can't be looked at again.
ALTER TABLE screenings
  ADD COLUMN ordered text,
  ADD COLUMN settled_at timestamptz,
  ADD COLUMN matcher_version integer NOT NULL DEFAULT 0,
  ADD COLUMN catalogue_version bigint NOT NULL DEFAULT 0,
  ADD COLUMN is_to_look_at boolean NOT NULL DEFAULT false;
ALTER TABLE screenings SET (fillfactor = 80);
UPDATE screenings s SET ordered = o.body, settled_at = o.settled_at, matcher_version = o.matcher_version,
                        catalogue_version = o.catalogue_version
  FROM remembered_orders o WHERE o.payment_id = s.payment_id;
DROP TABLE remembered_orders;
CREATE INDEX screenings_with_orders ON screenings (screened_at, payment_id) WHERE ordered IS NOT NULL;
CREATE INDEX screenings_to_look_at ON screenings (payment_id) WHERE is_to_look_at;
"""

_LOOKING_BACK = """
-- One row: up to where the orders that are kept were looked at again with these versions, by when they were screened.
CREATE TABLE looking_back (
  looking_back_id uuid PRIMARY KEY,
  matcher_version integer NOT NULL,
  catalogue_version bigint NOT NULL,
  after_at timestamptz,
  after_id uuid,
  is_done boolean NOT NULL
);
"""

_REFUSED = """
-- When two people refused a payment with effect: before anybody looked a second time.
UPDATE cases c SET body = jsonb_set(c.body::jsonb, '{refused_at}', to_jsonb(a.acted_at))::text
  FROM case_acts a
 WHERE a.case_id = c.case_id AND a.kind = 'confirmed' AND a.decision = 'reject'
   AND NOT EXISTS (SELECT FROM case_acts b WHERE b.case_id = a.case_id AND b.number < a.number
                      AND (b.kind = 'doubted' OR b.note = 'found_later'));
"""
