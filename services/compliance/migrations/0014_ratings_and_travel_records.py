"""By which lists of countries each customer was rated, and from which day a record of the travel rule is."""

from alembic import op

revision = "compliance_0014"
down_revision = "compliance_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_RATINGS)
    op.execute(_TRAVEL)


_RATINGS = """
-- The lists' import, 0 for those that ship, and the day on which they changed last before the rating; all that are
-- there are rated anew, for nobody knows by which they were.
ALTER TABLE customers
  ADD COLUMN countries_version bigint NOT NULL DEFAULT -1,
  ADD COLUMN countries_on date NOT NULL DEFAULT '0001-01-01';
CREATE INDEX customers_by_countries ON customers (countries_version, countries_on, customer_id)
  WHERE status <> 'closed';
DROP INDEX customers_unrated;
"""

_TRAVEL = """
ALTER TABLE travel_records ADD COLUMN asked_on date;
UPDATE travel_records SET asked_on = (body::jsonb ->> 'asked_on')::date;
ALTER TABLE travel_records ALTER COLUMN asked_on SET NOT NULL;
CREATE INDEX travel_records_by_age ON travel_records (asked_on);
"""
