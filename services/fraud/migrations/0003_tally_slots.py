"""A tally's slot is chosen where it is written: each connection has its own, so that few wait for one another."""

from alembic import op

revision = "fraud_0003"
down_revision = "fraud_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tallies ALTER COLUMN slot SET DEFAULT pg_backend_pid() % 64")
