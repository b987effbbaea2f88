"""Who signs in by an OpenID provider is known by the provider's own name for them."""

from alembic import op

revision = "compliance_0006"
down_revision = "compliance_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE desk_users ADD COLUMN oidc_subject text")
