"""The transfers of a hold are found by it: what moved, what was given back."""

from alembic import op

revision = "accounts_0005"
down_revision = "accounts_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS transfers_of_holds")
        op.execute(_INDEX)


# A payment's hold has the payment's id. Bookings, conversions and fundings are of none, and not in here.
_INDEX = """
CREATE INDEX CONCURRENTLY transfers_of_holds ON transfers (coalesce(hold_id, payment_id))
 WHERE coalesce(hold_id, payment_id) IS NOT NULL
"""
