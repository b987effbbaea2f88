"""Nobody whom an OpenID provider vouches for is two people at the desk."""

from alembic import op

revision = "compliance_0011"
down_revision = "compliance_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It fails where one is two already: which of the two is disabled and parted from the provider, people have to say.
    op.execute("CREATE UNIQUE INDEX desk_users_of_provider ON desk_users (oidc_subject) WHERE oidc_subject IS NOT NULL")
