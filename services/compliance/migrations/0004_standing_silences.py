"""Silences by their end: those that stand are shown at the desk."""

from alembic import op

revision = "compliance_0004"
down_revision = "compliance_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX alert_silences_by_end ON alert_silences (until)")
