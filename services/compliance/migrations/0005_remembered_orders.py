"""Orders of payments lately screened: when a list changes, those that have settled are looked at again."""

from alembic import op

revision = "compliance_0005"
down_revision = "compliance_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_ORDERS)


_ORDERS = """
-- Kept for WEIR_LOOK_BACK_DAYS. Nobody whose data came encrypted is in it: such an order can't be looked at again.
CREATE TABLE remembered_orders (
  payment_id uuid PRIMARY KEY,
  screened_at timestamptz NOT NULL,
  body text NOT NULL,
  settled_at timestamptz,
  matcher_version integer NOT NULL,
  catalogue_version bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX remembered_orders_settled ON remembered_orders (matcher_version, catalogue_version, payment_id)
  WHERE settled_at IS NOT NULL;
CREATE INDEX remembered_orders_by_age ON remembered_orders (screened_at);
"""
