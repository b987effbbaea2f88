"""What fraud blocked is remembered apart from what went on."""

from alembic import op

revision = "fraud_0002"
down_revision = "fraud_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE entities ADD COLUMN blocked bytea NOT NULL DEFAULT '', ALTER COLUMN blocked SET STORAGE MAIN"
    )
