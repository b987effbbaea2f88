"""When a message was taken, so that it can be forgotten when no topic holds it any more; who had what read again."""

from alembic import op

revision = "messaging_0002"
down_revision = "messaging_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not indexed: rows are found by their ids, which hold a time that is never later than this one.
    op.execute("ALTER TABLE inbox ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT now()")
    op.execute(_REWINDS)


_REWINDS = """
CREATE TABLE rewinds (
  rewind_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  from_offset bigint NOT NULL,
  to_offset bigint NOT NULL,
  -- Empty where nobody asked for it: a database that was restored, or a standby that lagged, knew no better.
  actor text NOT NULL,
  rewound_at timestamptz NOT NULL DEFAULT now()
)
"""
