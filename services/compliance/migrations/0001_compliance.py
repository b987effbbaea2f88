"""Lists, parties once screened, screenings, customers, cases with their acts, monitoring, and the desk's users."""

from alembic import op

revision = "compliance_0001"
down_revision = None
branch_labels = ("compliance",)
depends_on = None


def upgrade() -> None:
    op.execute(_LISTS)
    op.execute(_SCREENING)
    op.execute(_CASES)
    op.execute(_FILINGS)
    op.execute(_MONITORING)
    op.execute(_DESK)
    op.execute(_AUDIT)


_LISTS = """
CREATE SEQUENCE catalogue_versions;

-- One row: the version of all lists together. Every process looks at it with every batch.
CREATE TABLE catalogue (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  version bigint NOT NULL
);
INSERT INTO catalogue (version) VALUES (0);

CREATE TABLE list_imports (
  import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  list_name text NOT NULL,
  format text NOT NULL,
  source text NOT NULL,
  content_hash text NOT NULL,
  dated_on text,
  party_count integer NOT NULL,
  name_count integer NOT NULL,
  review_score double precision NOT NULL,
  block_score double precision NOT NULL,
  imported_by text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now(),
  is_live boolean NOT NULL
);
CREATE UNIQUE INDEX list_imports_live ON list_imports (list_name) WHERE is_live;

CREATE TABLE listed_parties (
  import_id bigint NOT NULL REFERENCES list_imports ON DELETE CASCADE,
  entity_id text NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (import_id, entity_id)
);
"""

_SCREENING = """
-- No names: only hashes of them. A verdict that is NULL is "clear".
CREATE TABLE screened_parties (
  party_key uuid PRIMARY KEY,
  verdict text,
  expires_at timestamptz NOT NULL
);
CREATE INDEX screened_parties_expiring ON screened_parties (expires_at);

-- What was answered about payments. A body is kept only where there is more to say than "clear".
CREATE TABLE screenings (
  payment_id uuid PRIMARY KEY,
  debtor_account_id uuid NOT NULL,
  outcome text NOT NULL,
  roles text,
  lists_version text NOT NULL,
  screened_at timestamptz NOT NULL,
  sequence integer NOT NULL
);

CREATE TABLE customers (
  customer_id uuid PRIMARY KEY,
  status text NOT NULL,
  matcher_version integer NOT NULL,
  catalogue_version bigint NOT NULL,
  body text NOT NULL
);
CREATE INDEX customers_by_version ON customers (matcher_version, catalogue_version, customer_id)
  WHERE status <> 'closed';
"""

_CASES = """
CREATE TABLE cases (
  case_id uuid PRIMARY KEY,
  payment_id uuid,
  customer_id uuid,
  status text NOT NULL,
  matcher_version integer NOT NULL,
  catalogue_version bigint NOT NULL,
  opened_at timestamptz,
  decide_by timestamptz,
  ended_at timestamptz,
  priority smallint,
  due_at timestamptz,
  clock_from timestamptz,
  snoozed_until timestamptz,
  taken_by text,
  escalated_to text,
  is_second_look boolean NOT NULL,
  reasons text[] NOT NULL,
  likeness text,
  body text NOT NULL,
  CONSTRAINT is_about_one_thing CHECK (num_nonnulls(payment_id, customer_id) = 1)
) WITH (fillfactor = 80);
CREATE INDEX cases_waiting ON cases (priority, due_at, case_id)
  WHERE opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed');
CREATE INDEX cases_due ON cases (due_at, case_id)
  WHERE opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed');
CREATE INDEX cases_taken ON cases (taken_by, priority, due_at, case_id)
  WHERE taken_by IS NOT NULL AND status IN ('taken', 'proposed');
CREATE INDEX cases_alike ON cases (likeness, priority, due_at, case_id)
  WHERE likeness IS NOT NULL AND opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed');
CREATE INDEX cases_snoozed ON cases (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX cases_by_version ON cases (matcher_version, catalogue_version, case_id)
  WHERE payment_id IS NOT NULL AND opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed')
    AND NOT is_second_look;
CREATE INDEX cases_ended ON cases (ended_at DESC, case_id DESC)
  WHERE opened_at IS NOT NULL AND status IN ('resolved', 'closed');

CREATE TABLE case_files (
  case_id uuid NOT NULL,
  number integer NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (case_id, number)
);

-- What cases are found by: words of names, and ids of customers and accounts.
CREATE TABLE case_words (
  word text COLLATE "C" NOT NULL,
  case_id uuid NOT NULL,
  PRIMARY KEY (word, case_id)
);
CREATE INDEX case_words_by_case ON case_words (case_id, word);

CREATE TABLE case_acts (
  case_id uuid NOT NULL,
  number integer NOT NULL,
  kind text NOT NULL,
  actor text NOT NULL,
  acted_at timestamptz NOT NULL,
  decision text,
  note text NOT NULL,
  taken_from text,
  PRIMARY KEY (case_id, number)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: what was done stays on record', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;
CREATE TRIGGER case_acts_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON case_acts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER case_files_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON case_files
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE blocked_property (
  payment_id uuid PRIMARY KEY,
  debtor_account_id uuid NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  transfer_id uuid NOT NULL,
  blocked_at timestamptz NOT NULL,
  report_due_on date NOT NULL
);
CREATE INDEX blocked_property_due ON blocked_property (report_due_on, payment_id);
"""

_FILINGS = """
-- Reports to the authorities. That one exists is for officers and auditors alone: no event and no case tells of it.
CREATE TABLE filings (
  filing_id uuid PRIMARY KEY,
  case_id uuid NOT NULL REFERENCES cases,
  kind text NOT NULL CHECK (kind IN ('sar', 'ctr')),
  status text NOT NULL CHECK (status IN ('draft', 'approved', 'filed', 'withdrawn')),
  due_on date NOT NULL,
  review_on date,
  body text NOT NULL
) WITH (fillfactor = 80);
-- Of a kind one at a time for a case, also where two officers begin at the same moment.
CREATE UNIQUE INDEX filings_under_way ON filings (case_id, kind) WHERE status IN ('draft', 'approved');
CREATE INDEX filings_due ON filings (due_on, filing_id) WHERE status IN ('draft', 'approved');
CREATE INDEX filings_to_review ON filings (review_on, filing_id) WHERE status = 'filed' AND review_on IS NOT NULL;
CREATE INDEX filings_ended ON filings (due_on DESC, filing_id DESC) WHERE status IN ('filed', 'withdrawn');

CREATE TABLE filing_acts (
  filing_id uuid NOT NULL,
  number integer NOT NULL,
  kind text NOT NULL,
  actor text NOT NULL,
  acted_at timestamptz NOT NULL,
  note text NOT NULL,
  PRIMARY KEY (filing_id, number)
);
CREATE TRIGGER filing_acts_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON filing_acts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

_MONITORING = """
-- One row a customer whose money moves: what it did lately, and how people want to hear of it.
CREATE TABLE watched_customers (
  customer_id uuid PRIMARY KEY,
  history bytea NOT NULL,
  standing text NOT NULL,
  wake_at timestamptz,
  forget_on date NOT NULL
) WITH (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
-- Rewritten at every payment, some kilobytes at most: kept in the page, uncompressed as long as it fits.
ALTER TABLE watched_customers ALTER COLUMN history SET STORAGE MAIN;
CREATE INDEX watched_customers_to_wake ON watched_customers (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX watched_customers_to_forget ON watched_customers (forget_on);

CREATE TABLE alerts (
  alert_id uuid PRIMARY KEY,
  scenario text NOT NULL,
  customer_id uuid NOT NULL,
  body text NOT NULL,
  occurred_at timestamptz NOT NULL,
  raised_at timestamptz NOT NULL,
  state text NOT NULL,
  case_id uuid,
  CONSTRAINT is_in_a_case_if_open CHECK ((state = 'open') = (case_id IS NOT NULL))
);
CREATE INDEX alerts_newest ON alerts (raised_at DESC, alert_id DESC);
CREATE INDEX alerts_of_customer ON alerts (customer_id, raised_at DESC, alert_id DESC);

-- Movements large enough for a cycle, for as long as one may last.
CREATE TABLE hops (
  payment_id uuid PRIMARY KEY,
  debtor_customer_id uuid NOT NULL,
  creditor_customer_id uuid NOT NULL,
  cents bigint NOT NULL,
  at_micros bigint NOT NULL,
  is_looked_at boolean NOT NULL,
  known_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX hops_into ON hops (creditor_customer_id, at_micros DESC, payment_id);
CREATE INDEX hops_to_look_at ON hops (known_at) WHERE NOT is_looked_at;
CREATE INDEX hops_by_age ON hops (known_at);

-- Who was left alone by which scenario, why, and until when: never changed. A kind that is NULL ended it.
CREATE TABLE alert_silences (
  silence_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id uuid NOT NULL,
  scenario text NOT NULL,
  kind text,
  until timestamptz NOT NULL,
  reason text NOT NULL,
  said_by text NOT NULL,
  said_at timestamptz NOT NULL
);
CREATE INDEX alert_silences_of_customer ON alert_silences (customer_id, silence_id DESC);
CREATE TRIGGER alert_silences_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_silences
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE scenario_versions (
  scenario text NOT NULL,
  version text NOT NULL,
  body text NOT NULL,
  effective_from timestamptz NOT NULL,
  reason text NOT NULL,
  set_by text NOT NULL,
  set_at timestamptz NOT NULL,
  PRIMARY KEY (scenario, version)
);
CREATE TRIGGER scenario_versions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON scenario_versions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE country_imports (
  import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source text NOT NULL,
  content_hash text NOT NULL,
  imported_by text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE country_listings (
  import_id bigint NOT NULL REFERENCES country_imports,
  country text NOT NULL,
  list_name text NOT NULL,
  listed_from date NOT NULL,
  listed_until date,
  PRIMARY KEY (import_id, country, list_name, listed_from)
);
"""

_DESK = """
CREATE TABLE desk_users (
  username text PRIMARY KEY CHECK (username ~ '^[a-z][a-z0-9_.-]{1,39}$'),
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('analyst', 'supervisor', 'officer', 'auditor', 'administrator')),
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz
);

-- Only a hash of each token: whoever reads this table can't become anyone.
CREATE TABLE desk_sessions (
  token_hash bytea PRIMARY KEY,
  username text NOT NULL REFERENCES desk_users ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX desk_sessions_expiring ON desk_sessions (expires_at);

CREATE TABLE desk_failures (
  username text NOT NULL,
  address text NOT NULL,
  failed_at timestamptz NOT NULL
);
CREATE INDEX desk_failures_by_username ON desk_failures (username, failed_at);
CREATE INDEX desk_failures_by_address ON desk_failures (address, failed_at);
"""

_AUDIT = """
-- Every look and every act of people, each with the hash of all before it.
CREATE TABLE audit_entries (
  number bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  role text NOT NULL,
  verb text NOT NULL,
  object_kind text NOT NULL,
  object_id text NOT NULL,
  details text NOT NULL,
  hash_before bytea NOT NULL,
  hash bytea NOT NULL
);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, number);
CREATE INDEX audit_entries_by_object ON audit_entries (object_id, number);
CREATE TRIGGER audit_entries_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One row: where the log ends.
CREATE TABLE audit_head (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  entry_count bigint NOT NULL,
  entry_hash bytea NOT NULL
);
INSERT INTO audit_head (entry_count, entry_hash) VALUES (0, '');
"""
