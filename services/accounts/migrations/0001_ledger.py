"""Customers, accounts, holds, transfers and entries, with the invariants that hold even against psql."""

from alembic import op

revision = "accounts_0001"
down_revision = None
branch_labels = ("accounts",)
depends_on = None


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_INVARIANTS)


_TABLES = """
CREATE TABLE customers (
  customer_id uuid PRIMARY KEY,
  kind text NOT NULL,
  personal json NOT NULL,
  status text NOT NULL,
  tier smallint NOT NULL,
  wanted_currencies text[] NOT NULL,
  sequence bigint NOT NULL
);

CREATE TABLE accounts (
  account_id uuid PRIMARY KEY,
  customer_id uuid REFERENCES customers,
  kind text NOT NULL,
  currency text NOT NULL,
  status text NOT NULL,
  floor_minor bigint,
  debit_max_minor bigint,
  posted_minor bigint NOT NULL,
  held_minor bigint NOT NULL,
  entry_count bigint NOT NULL,
  sequence bigint NOT NULL,
  CONSTRAINT held_is_not_negative CHECK (held_minor >= 0),
  CONSTRAINT available_is_above_floor CHECK (floor_minor IS NULL OR posted_minor - held_minor >= floor_minor)
) WITH (fillfactor = 80);
CREATE INDEX ix_accounts_customer_id ON accounts (customer_id);

CREATE TABLE holds (
  payment_id uuid PRIMARY KEY,
  debtor_account_id uuid NOT NULL,
  creditor_account_id uuid,
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  currency text NOT NULL,
  status text NOT NULL,
  decline_reason text,
  post_refusal text,
  expires_at timestamptz,
  transfer_id uuid,
  sequence bigint NOT NULL
) WITH (fillfactor = 80);
-- Only what is still held has a time to run out; BRIN would do, but this one stays small by itself.
CREATE INDEX holds_expiring ON holds (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE transfers (
  transfer_id uuid PRIMARY KEY,
  kind text NOT NULL,
  payment_id uuid,
  debit_account_id uuid NOT NULL,
  credit_account_id uuid NOT NULL CHECK (credit_account_id <> debit_account_id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL,
  reference text,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL
);

CREATE TABLE entries (
  account_id uuid NOT NULL,
  number bigint NOT NULL,
  transfer_id uuid NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  balance_minor bigint NOT NULL,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, number)
);
"""

# A statement at a time, over the rows it adds: what balances costs little to check, and nobody can go round it.
_INVARIANTS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: correct by a further transfer', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;

CREATE TRIGGER transfers_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE unbalanced uuid;
BEGIN
  SELECT e.transfer_id INTO unbalanced
    FROM added e LEFT JOIN transfers t ON t.transfer_id = e.transfer_id
   GROUP BY e.transfer_id
  HAVING sum(e.amount_minor) <> 0
      OR count(*) <> 2
      OR count(*) FILTER (WHERE e.account_id = t.debit_account_id AND e.amount_minor = -t.amount_minor) <> 1
      OR count(*) FILTER (WHERE e.account_id = t.credit_account_id AND e.amount_minor = t.amount_minor) <> 1
   LIMIT 1;
  IF unbalanced IS NOT NULL THEN
    RAISE EXCEPTION 'the entries of transfer % do not balance', unbalanced USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER entries_balance AFTER INSERT ON entries REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION require_balance();
"""
