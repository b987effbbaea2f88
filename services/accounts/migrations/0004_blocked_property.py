"""What a listed customer owns is blocked property, also what comes free when a hold ends."""

from alembic import op

revision = "accounts_0004"
down_revision = "accounts_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_BLOCKED)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE transfers VALIDATE CONSTRAINT payments_move_by_payments_word")


_BLOCKED = """
ALTER TABLE accounts ADD COLUMN is_blocked boolean NOT NULL DEFAULT false;
-- What is blocked belongs to a payment or to a customer: the rule makes way for one that allows more, which the
-- release before this one never writes.
-- squawk-ignore ban-drop-constraint
ALTER TABLE transfers DROP CONSTRAINT payments_move_by_payments_word;
ALTER TABLE transfers ADD CONSTRAINT payments_move_by_payments_word CHECK (
  CASE WHEN kind IN ('payment', 'fee', 'refund') THEN payment_id IS NOT NULL
       ELSE kind = 'blocking' OR payment_id IS NULL END) NOT VALID;
"""
