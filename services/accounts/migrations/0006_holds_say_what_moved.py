"""A hold says of its money what its transfers say, a refund what its transfer says; and what has ended stays ended."""

from alembic import op

revision = "accounts_0006"
down_revision = "accounts_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_INVARIANTS)


_INVARIANTS = """
-- By whoever lowers one of these, money would be moved or given back a second time.
CREATE TRIGGER holds_only_go_on BEFORE UPDATE ON holds FOR EACH ROW
  WHEN (NEW.posted_minor < OLD.posted_minor OR NEW.posted_fee_minor < OLD.posted_fee_minor
        OR NEW.refunded_minor < OLD.refunded_minor OR (OLD.status <> 'held' AND NEW.status <> OLD.status))
  EXECUTE FUNCTION refuse_change();

-- The other way round, as with balances: who says that money has moved must have moved it. Transfers never change, and
-- of what says that nothing has moved there is nothing to look for.
CREATE FUNCTION require_moved() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE found uuid;
BEGIN
  SELECT h.hold_id INTO found
    FROM written h CROSS JOIN LATERAL (
      SELECT coalesce(sum(t.amount_minor) FILTER (WHERE t.kind IN ('payment', 'capture')), 0) AS posted_minor,
             coalesce(sum(t.amount_minor) FILTER (WHERE t.kind = 'fee'), 0) AS posted_fee_minor,
             coalesce(sum(t.amount_minor) FILTER (WHERE t.kind = 'refund'), 0) AS refunded_minor,
             coalesce(sum(t.amount_minor) FILTER (WHERE t.kind = 'blocking'), 0) AS blocked_minor
        FROM transfers t WHERE coalesce(t.hold_id, t.payment_id) = h.hold_id
    ) AS moved
   WHERE (h.status IN ('posted', 'blocked') OR h.posted_minor + h.posted_fee_minor + h.refunded_minor > 0)
     AND (h.posted_minor, h.posted_fee_minor, h.refunded_minor,
          CASE WHEN h.status = 'blocked' THEN h.amount_minor + h.fee_minor ELSE 0 END)
      <> (moved.posted_minor, moved.posted_fee_minor, moved.refunded_minor, moved.blocked_minor)
   LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'hold % does not say what its transfers say', found USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER holds_say_what_moved AFTER UPDATE ON holds REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION require_moved();
CREATE TRIGGER holds_begin_with_what_moved AFTER INSERT ON holds REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION require_moved();

CREATE FUNCTION require_refunded() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE found uuid;
BEGIN
  SELECT r.refund_id INTO found FROM added r
   WHERE r.status = 'posted' AND NOT EXISTS (
     SELECT FROM transfers t WHERE t.transfer_id = r.transfer_id
        AND (t.kind, t.payment_id, t.amount_minor) = ('refund', r.payment_id, r.amount_minor))
   LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'refund % does not say what its transfer says', found USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER refunds_say_what_moved AFTER INSERT ON refunds REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION require_refunded();
"""
