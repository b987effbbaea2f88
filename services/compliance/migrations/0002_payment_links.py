"""Who paid whom, by the month."""

from alembic import op

revision = "compliance_0002"
down_revision = "compliance_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_LINKS)


_LINKS = """
-- Added to by every settled payment between customers, and looked up from either side.
CREATE TABLE payment_links (
  debtor_customer_id uuid NOT NULL,
  month_on date NOT NULL,
  creditor_customer_id uuid NOT NULL,
  payments bigint NOT NULL,
  cents numeric(30) NOT NULL,
  PRIMARY KEY (debtor_customer_id, month_on, creditor_customer_id)
) WITH (fillfactor = 80);
CREATE INDEX payment_links_into ON payment_links (creditor_customer_id, month_on, debtor_customer_id);
CREATE INDEX payment_links_by_age ON payment_links (month_on);
"""
