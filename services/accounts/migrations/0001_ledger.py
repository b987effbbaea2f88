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
  account_id uuid NOT NULL,
  lane smallint NOT NULL DEFAULT 0,
  customer_id uuid REFERENCES customers,
  kind text NOT NULL,
  currency text NOT NULL,
  metadata json,
  status text NOT NULL,
  tier smallint,
  floor_minor bigint,
  ceiling_minor bigint,
  posted_minor bigint NOT NULL,
  held_minor bigint NOT NULL,
  entry_count bigint NOT NULL,
  entry_hash bytea NOT NULL,
  recorded_at timestamptz,
  spent_on date,
  spent_day_minor bigint NOT NULL,
  spent_month_minor bigint NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (account_id, lane),
  CONSTRAINT kind_is_known CHECK (kind IN (
    'customer', 'external', 'settlement', 'fees', 'liquidity', 'suspense', 'losses', 'blocked_funds')),
  CONSTRAINT status_is_known CHECK (status IN ('open', 'debits_frozen', 'frozen', 'closed')),
  CONSTRAINT customers_have_customer_accounts CHECK ((kind = 'customer') = (customer_id IS NOT NULL)),
  CONSTRAINT customers_have_bounds CHECK (kind <> 'customer' OR (tier IS NOT NULL AND floor_minor IS NOT NULL)),
  CONSTRAINT lanes_are_of_the_house CHECK (kind <> 'customer' OR lane = 0),
  CONSTRAINT closed_holds_nothing CHECK (status <> 'closed' OR (posted_minor = 0 AND held_minor = 0)),
  CONSTRAINT held_is_not_negative CHECK (held_minor >= 0),
  CONSTRAINT spent_is_not_negative CHECK (spent_day_minor >= 0 AND spent_month_minor >= spent_day_minor),
  CONSTRAINT available_is_above_floor CHECK (floor_minor IS NULL OR posted_minor - held_minor >= floor_minor),
  CONSTRAINT posted_is_below_ceiling CHECK (ceiling_minor IS NULL OR posted_minor <= ceiling_minor),
  CONSTRAINT lanes_have_no_bounds CHECK (kind = 'customer' OR (floor_minor IS NULL AND ceiling_minor IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX ix_accounts_customer_id ON accounts (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE holds (
  hold_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('payment', 'request')),
  debtor_account_id uuid NOT NULL,
  creditor_account_id uuid,
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  fee_minor bigint NOT NULL CHECK (fee_minor >= 0),
  currency text NOT NULL,
  held_on date,
  status text NOT NULL,
  posted_minor bigint NOT NULL,
  posted_fee_minor bigint NOT NULL,
  refunded_minor bigint NOT NULL,
  decline_reason text,
  post_refusal text,
  expires_at timestamptz,
  transfer_id uuid,
  sequence bigint NOT NULL,
  CONSTRAINT status_is_known CHECK (status IN ('held', 'declined', 'posted', 'blocked', 'released')),
  CONSTRAINT held_is_something_that_runs_out CHECK ((status = 'held') = (expires_at IS NOT NULL)),
  CONSTRAINT what_is_held_is_money CHECK (status NOT IN ('held', 'posted', 'blocked') OR amount_minor > 0),
  CONSTRAINT moved_by_a_transfer CHECK (status NOT IN ('posted', 'blocked') OR transfer_id IS NOT NULL),
  CONSTRAINT posted_of_what_was_held CHECK (posted_minor BETWEEN 0 AND amount_minor),
  CONSTRAINT fee_of_what_was_held CHECK (posted_fee_minor BETWEEN 0 AND fee_minor),
  CONSTRAINT posted_is_moved CHECK ((status = 'posted') <= (posted_minor > 0)),
  CONSTRAINT refunded_of_what_was_posted CHECK (refunded_minor BETWEEN 0 AND posted_minor),
  CONSTRAINT declined_for_a_reason CHECK ((status = 'declined') = (decline_reason IS NOT NULL))
) WITH (fillfactor = 80);
-- Only what is still held has a time to run out; BRIN would do, but this one stays small by itself.
CREATE INDEX holds_expiring ON holds (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX holds_held ON holds (debtor_account_id) WHERE expires_at IS NOT NULL;

CREATE TABLE refunds (
  refund_id uuid PRIMARY KEY,
  payment_id uuid NOT NULL,
  amount_minor bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('posted', 'refused')),
  refusal text,
  transfer_id uuid,
  sequence bigint NOT NULL,
  CONSTRAINT moved_or_refused CHECK ((status = 'posted') = (transfer_id IS NOT NULL)),
  CONSTRAINT refused_for_a_reason CHECK ((status = 'refused') = (refusal IS NOT NULL)),
  CONSTRAINT what_is_moved_is_money CHECK (status = 'refused' OR amount_minor > 0)
);

CREATE TABLE transfers (
  transfer_id uuid PRIMARY KEY,
  kind text NOT NULL,
  link_id uuid,
  link_number smallint NOT NULL DEFAULT 0,
  payment_id uuid,
  hold_id uuid,
  reversed_transfer_id uuid,
  debit_account_id uuid NOT NULL,
  credit_account_id uuid NOT NULL CHECK (credit_account_id <> debit_account_id),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL,
  reference text,
  metadata json,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT kind_is_known CHECK (kind IN (
    'funding', 'payment', 'fee', 'blocking', 'refund', 'booking', 'capture', 'conversion', 'reversal')),
  CONSTRAINT payments_move_by_payments_word CHECK (
    (kind IN ('payment', 'fee', 'blocking', 'refund')) = (payment_id IS NOT NULL)),
  CONSTRAINT captures_are_of_holds CHECK ((kind = 'capture') = (hold_id IS NOT NULL)),
  CONSTRAINT reversals_take_something_back CHECK ((kind = 'reversal') = (reversed_transfer_id IS NOT NULL))
);
CREATE INDEX transfers_linked ON transfers (link_id) WHERE link_id IS NOT NULL;
-- Whatever anybody decides, nothing is taken back twice.
CREATE UNIQUE INDEX transfers_reversed_once ON transfers (reversed_transfer_id) WHERE reversed_transfer_id IS NOT NULL;

CREATE TABLE entries (
  account_id uuid NOT NULL,
  lane smallint NOT NULL DEFAULT 0,
  number bigint NOT NULL,
  transfer_id uuid NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  balance_minor bigint NOT NULL,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  hash bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (account_id, lane, number)
);
-- Each transfer has one entry on each of its accounts, ever.
CREATE UNIQUE INDEX entries_of_transfers ON entries (transfer_id, account_id);
-- What a balance by effective time differs by from one by recorded time: few rows, and no others are in here.
CREATE INDEX entries_dated_otherwise ON entries (account_id, effective_at) WHERE effective_at <> recorded_at;

-- How many entries of a lane were recorded before an instant. In a lane time never runs backwards, so some twenty looks
-- find the place among a million, and no index has to be kept for it.
CREATE FUNCTION entries_before(the_account uuid, the_lane smallint, instant timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint := 0;
  high bigint := (SELECT entry_count FROM accounts WHERE account_id = the_account AND lane = the_lane);
  middle bigint;
BEGIN
  WHILE low < high LOOP
    middle := (low + high + 1) / 2;
    IF (SELECT recorded_at < instant FROM entries
         WHERE account_id = the_account AND lane = the_lane AND number = middle)
    THEN low := middle; ELSE high := middle - 1; END IF;
  END LOOP;
  RETURN low;
END $$;
"""

# A statement at a time, over the rows it writes: what balances costs little to check, and nobody can go round it.
# Entries and the balances they lead to are written by one statement.
_INVARIANTS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what % says of this is said for good: correct by a further transfer', TG_TABLE_NAME
    USING ERRCODE = '23514';
END $$;

CREATE TRIGGER transfers_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_stay_what_they_are
  BEFORE UPDATE OF account_id, lane, customer_id, kind, currency ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_stay BEFORE DELETE OR TRUNCATE ON holds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_stay_what_they_are
  BEFORE UPDATE OF hold_id, kind, debtor_account_id, creditor_account_id, amount_minor, fee_minor, currency, held_on,
                   decline_reason ON holds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_stay BEFORE DELETE OR TRUNCATE ON refunds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_stay_what_they_are
  BEFORE UPDATE OF refund_id, payment_id, amount_minor, status, refusal, transfer_id ON refunds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is said of an entry: it is a leg of its transfer, as that has it, in its account's currency; it goes on where
-- the one before it in its account's lane ended, and not before that in time; and the lane has counted it. That the
-- lane stands where its entries end is asked of whoever writes its row (require_entries), that a transfer has both its
-- legs of whoever writes the transfer (require_legs); a third it can't have: its accounts are two, with an entry each.
CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql
-- A plan made while a table was small must not scan it when it has grown.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE fault text;
BEGIN
  SELECT CASE WHEN is_leg AND is_counted
              THEN format('entry %s of account %s does not go on where the one before ended', number, account_id)
              WHEN is_leg THEN format('account %s does not stand where its entries end', account_id)
              ELSE format('the entries of transfer %s do not balance', transfer_id) END
    INTO fault FROM (
    SELECT e.account_id, e.number, e.transfer_id,
           (e.recorded_at, e.effective_at) = (t.recorded_at, t.effective_at) AND CASE e.account_id
             WHEN t.debit_account_id THEN e.amount_minor = -t.amount_minor
             WHEN t.credit_account_id THEN e.amount_minor = t.amount_minor END AS is_leg,
           a.currency = t.currency AND a.entry_count >= e.number AS is_counted,
           (e.number, e.balance_minor) = (coalesce(b.number, 0) + 1, coalesce(b.balance_minor, 0) + e.amount_minor)
             AND e.recorded_at >= coalesce(b.recorded_at, e.recorded_at) AS goes_on
      FROM added e
      LEFT JOIN transfers t ON t.transfer_id = e.transfer_id
      LEFT JOIN accounts a ON (a.account_id, a.lane) = (e.account_id, e.lane)
      LEFT JOIN entries b ON (b.account_id, b.lane, b.number) = (e.account_id, e.lane, e.number - 1)
  ) AS checked WHERE (is_leg AND is_counted AND goes_on) IS NOT TRUE LIMIT 1;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION '%', fault USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER entries_balance AFTER INSERT ON entries REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION require_balance();

-- A transfer without entries would be in nobody's books; as a reversal it would keep the real one from being made.
CREATE FUNCTION require_legs() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE found uuid;
BEGIN
  SELECT t.transfer_id INTO found FROM added t
   WHERE (SELECT count(*) FROM entries e WHERE e.transfer_id = t.transfer_id) <> 2 LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'transfer % has no entries', found USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER transfers_have_entries AFTER INSERT ON transfers REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION require_legs();

-- The other way round: who writes a balance must have written the entries for it.
CREATE FUNCTION require_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE found uuid;
BEGIN
  SELECT a.account_id INTO found
    FROM written a LEFT JOIN LATERAL (
      SELECT number, balance_minor, hash, recorded_at FROM entries
       WHERE account_id = a.account_id AND lane = a.lane ORDER BY number DESC LIMIT 1
    ) newest ON true
   WHERE (a.entry_count, a.posted_minor, a.entry_hash, a.recorded_at) IS DISTINCT FROM
         (coalesce(newest.number, 0), coalesce(newest.balance_minor, 0), coalesce(newest.hash, ''), newest.recorded_at)
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
