"""Holds that were asked for are listed by account, transfers found by their reference."""

from alembic import op

revision = "accounts_0007"
down_revision = "accounts_0006"
branch_labels = None
depends_on = None

# Payments' holds and transfers, which are most, are in neither: they cost nothing to write.
_INDEXES = {
    "holds_requested": "holds (debtor_account_id, hold_id) WHERE kind = 'request'",
    "transfers_referenced": "transfers (reference, transfer_id) WHERE reference IS NOT NULL",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, what in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
