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
  CONSTRAINT kind_is_known CHECK (kind IN ('customer', 'external', 'blocked_funds')),
  CONSTRAINT status_is_known CHECK (status IN ('open', 'frozen', 'closed')),
  CONSTRAINT customers_have_customer_accounts CHECK ((kind = 'customer') = (customer_id IS NOT NULL)),
  CONSTRAINT closed_holds_nothing CHECK (status <> 'closed' OR (posted_minor = 0 AND held_minor = 0)),
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
  sequence bigint NOT NULL,
  CONSTRAINT status_is_known CHECK (status IN ('held', 'declined', 'posted', 'blocked', 'released')),
  CONSTRAINT held_is_something_that_runs_out CHECK ((status = 'held') = (expires_at IS NOT NULL)),
  CONSTRAINT what_is_held_is_money CHECK (status NOT IN ('held', 'posted', 'blocked') OR amount_minor > 0),
  CONSTRAINT moved_by_a_transfer CHECK ((status IN ('posted', 'blocked')) = (transfer_id IS NOT NULL)),
  CONSTRAINT declined_for_a_reason CHECK ((status = 'declined') = (decline_reason IS NOT NULL))
) WITH (fillfactor = 80);
-- Only what is still held has a time to run out; BRIN would do, but this one stays small by itself.
CREATE INDEX holds_expiring ON holds (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE transfers (
  transfer_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('funding', 'payment', 'blocking')),
  payment_id uuid,
  debit_account_id uuid NOT NULL,
  credit_account_id uuid NOT NULL CHECK (credit_account_id <> debit_account_id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL,
  reference text,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT payments_move_by_payments_word CHECK ((kind = 'funding') = (payment_id IS NULL))
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

# A statement at a time, over the rows it writes: what balances costs little to check, and nobody can go round it.
# Entries and the balances they lead to are written by one statement.
_INVARIANTS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: correct by a further transfer', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;

CREATE TRIGGER transfers_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is said of an entry: its transfer balances, in its account's currency; it goes on where the account's entries
-- ended; and the account stands where they end now.
CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql
-- A plan made while a table was small must not scan it when it has grown.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE fault text;
BEGIN
  WITH legs AS MATERIALIZED (
    SELECT e.transfer_id, e.account_id, e.number, e.amount_minor, e.balance_minor,
           lag(e.number) OVER w AS number_before, lag(e.balance_minor) OVER w AS balance_before,
           CASE WHEN e.account_id = t.debit_account_id AND e.amount_minor = -t.amount_minor THEN 1
                WHEN e.account_id = t.credit_account_id AND e.amount_minor = t.amount_minor THEN 2
                ELSE 0 END AS side,
           t.currency
      FROM added e LEFT JOIN transfers t ON t.transfer_id = e.transfer_id
    WINDOW w AS (PARTITION BY e.account_id ORDER BY e.number)
  ), accounts_touched AS (
    SELECT account_id, min(currency) AS currency, max(currency) AS other_currency,
           min(number) AS first_number, max(number) AS last_number, sum(amount_minor) AS moved_minor,
           min(balance_minor - amount_minor) FILTER (WHERE number_before IS NULL) AS began_at_minor
      FROM legs GROUP BY account_id
  )
  SELECT words INTO fault FROM (
    SELECT format('the entries of transfer %s do not balance', transfer_id) AS words
      FROM legs GROUP BY transfer_id
    HAVING count(*) <> 2 OR sum(side) <> 3
    UNION ALL
    SELECT format('entry %s of account %s does not go on where the one before ended', number, account_id)
      FROM legs
     WHERE number_before IS NOT NULL
       AND (number, balance_minor) <> (number_before + 1, balance_before + amount_minor)
    UNION ALL
    SELECT format('entry %s of account %s does not go on where the one before ended', t.first_number, t.account_id)
      FROM accounts_touched t LEFT JOIN entries e ON e.account_id = t.account_id AND e.number = t.first_number - 1
     WHERE (t.first_number, t.began_at_minor) <> (coalesce(e.number, 0) + 1, coalesce(e.balance_minor, 0))
    UNION ALL
    SELECT format('account %s does not stand where its entries end', t.account_id)
      FROM accounts_touched t LEFT JOIN accounts a ON a.account_id = t.account_id
     WHERE (a.currency, a.currency, a.entry_count, a.posted_minor)
           IS DISTINCT FROM (t.currency, t.other_currency, t.last_number, t.began_at_minor + t.moved_minor)
  ) AS faults LIMIT 1;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION '%', fault USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER entries_balance AFTER INSERT ON entries REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION require_balance();

-- The other way round: who writes a balance must have written the entries for it.
CREATE FUNCTION require_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE found uuid;
BEGIN
  SELECT a.account_id INTO found
    FROM written a LEFT JOIN LATERAL (
      SELECT number, balance_minor FROM entries WHERE account_id = a.account_id ORDER BY number DESC LIMIT 1
    ) newest ON true
   WHERE (a.entry_count, a.posted_minor) <> (coalesce(newest.number, 0), coalesce(newest.balance_minor, 0))
   LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'account % does not stand where its entries end', found USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER balances_have_entries AFTER UPDATE ON accounts REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION require_entries();
CREATE TRIGGER accounts_begin_empty AFTER INSERT ON accounts REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION require_entries();
"""
