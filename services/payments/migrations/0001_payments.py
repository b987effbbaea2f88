"""Payments, their refunds, the batches they came in, and payments' copy of which accounts exist."""

from alembic import op

revision = "payments_0001"
down_revision = None
branch_labels = ("payments",)
depends_on = None


def upgrade() -> None:
    op.execute(_TABLES)


_TABLES = """
CREATE TABLE payments (
  payment_id uuid PRIMARY KEY,
  client_id text NOT NULL,
  batch_id uuid,
  state text NOT NULL,
  debtor_account_id uuid NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL,
  initiated_at timestamptz NOT NULL,
  check_at timestamptz,
  body text NOT NULL,
  -- A column of its own: were the state itself in an index, no step of a payment could be a heap-only update.
  is_under_way boolean NOT NULL GENERATED ALWAYS AS (
    state NOT IN ('suspended', 'authorised', 'settled', 'rejected', 'cancelled', 'blocked')) STORED,
  -- Every payment that has not ended is looked at when it has waited too long: no state without a way out.
  CONSTRAINT is_looked_at_until_its_end CHECK (
    (check_at IS NULL) = (state IN ('settled', 'rejected', 'cancelled', 'blocked')))
) WITH (fillfactor = 50, toast_tuple_target = 8160);
-- A page holds a whole payment with its timeline; compressing it at every step would cost more than it saves.
ALTER TABLE payments ALTER COLUMN body SET STORAGE MAIN;

CREATE INDEX payments_waiting ON payments (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX payments_under_way ON payments (payment_id) WHERE is_under_way;
CREATE INDEX payments_by_client ON payments (client_id, payment_id);
CREATE INDEX payments_by_batch ON payments (batch_id, payment_id) WHERE batch_id IS NOT NULL;

CREATE TABLE refunds (
  refund_id uuid PRIMARY KEY,
  payment_id uuid NOT NULL REFERENCES payments,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  requested_at timestamptz NOT NULL,
  state text NOT NULL,
  reason text,
  transfer_id uuid,
  ended_at timestamptz,
  deadline_step integer NOT NULL,
  check_at timestamptz,
  sequence integer NOT NULL,
  -- Accounts is asked about a refund until it has answered.
  CONSTRAINT is_looked_at_until_its_end CHECK ((check_at IS NULL) = (state IN ('settled', 'rejected'))),
  CONSTRAINT says_how_it_ended CHECK (
    (transfer_id IS NOT NULL) = (state = 'settled') AND (reason IS NOT NULL) = (state = 'rejected')
    AND (ended_at IS NOT NULL) = (state IN ('settled', 'rejected')))
);

CREATE INDEX refunds_waiting ON refunds (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX refunds_by_payment ON refunds (payment_id, refund_id);

CREATE TABLE known_accounts (
  account_id uuid PRIMARY KEY,
  customer_id uuid NOT NULL,
  currency text NOT NULL,
  may_pay boolean NOT NULL,
  may_receive boolean NOT NULL
);

CREATE TABLE batches (
  batch_id uuid PRIMARY KEY,
  client_id text NOT NULL,
  opened_at timestamptz NOT NULL,
  line_count integer NOT NULL,
  completed_at timestamptz
);

CREATE TABLE refused_lines (
  batch_id uuid NOT NULL,
  line_number integer NOT NULL,
  reason text NOT NULL,
  field text,
  detail text NOT NULL,
  PRIMARY KEY (batch_id, line_number)
);
"""
