"""When a message was taken, so that it can be forgotten when no topic holds it any more; who had what read again.

A service's role may delete neither what was received nor a dead letter: these functions of the owner's do, and hold to
an age that no setting shortens.
"""

from alembic import op

revision = "messaging_0003"
down_revision = "messaging_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not indexed: rows are found by their ids, which hold a time that is never later than this one.
    op.execute("ALTER TABLE inbox ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT now()")
    op.execute(_REWINDS)
    op.execute(_FORGET_RECEIVED)
    op.execute(_FORGET_LETTERS)


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

_FORGET_RECEIVED = """
CREATE FUNCTION forget_received(of_consumer text, id_before uuid, taken_before timestamptz, rows_max integer)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH forgotten AS (
    DELETE FROM inbox WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM inbox
       WHERE consumer = of_consumer AND event_id < id_before AND outcome = 'applied'
         AND claimed_at < least(taken_before, now() - interval '30 days')
       ORDER BY event_id LIMIT rows_max))
    RETURNING 1)
  SELECT count(*) FROM forgotten
$$
"""

_FORGET_LETTERS = """
CREATE FUNCTION forget_letters(days integer, rows_max integer)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH forgotten AS (
    DELETE FROM dead_letters WHERE event_id IN (
      SELECT event_id FROM dead_letters
       WHERE status <> 'dead' AND settled_at < now() - make_interval(days => greatest(days, 365)) LIMIT rows_max)
    RETURNING 1)
  SELECT count(*) FROM forgotten
$$
"""
