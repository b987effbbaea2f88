"""What operators have done, and why. A service's role may add to it and no more: what is old, a function forgets."""

from alembic import op

revision = "messaging_0004"
down_revision = "messaging_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_INTERVENTIONS)
    op.execute(_FORGET_INTERVENTIONS)


_INTERVENTIONS = """
CREATE TABLE interventions (
  intervention_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  command text NOT NULL,
  -- JSON: what it was done to.
  arguments text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now()
)
"""

_FORGET_INTERVENTIONS = """
CREATE FUNCTION forget_interventions(days integer, rows_max integer)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH forgotten AS (
    DELETE FROM interventions WHERE intervention_id IN (
      SELECT intervention_id FROM interventions
       WHERE done_at < now() - make_interval(days => greatest(days, 365)) ORDER BY intervention_id LIMIT rows_max)
    RETURNING 1)
  SELECT count(*) FROM forgotten
$$
"""
