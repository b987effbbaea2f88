"""Customers, and with them their accounts, belong to the client that registered them; to the house if staff did."""

from alembic import op

revision = "accounts_0003"
down_revision = "accounts_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is there stays the house's: whoever could use it can go on.
    op.execute("ALTER TABLE customers ADD COLUMN client_id text")
    op.execute("ALTER TABLE accounts ADD COLUMN client_id text")
