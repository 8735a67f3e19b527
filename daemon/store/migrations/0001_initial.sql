-- The state of the daemon. Every "at most one" is a unique index; every state column lists the states of
-- model/states.cpp (a test compares them). Instants are UTC milliseconds; dates are integers yyyymmdd; keys are UUIDv7.
-- A migration that was released is never edited; changes come as the next number.

-- People the daemon knows.
CREATE TABLE users (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  user_id TEXT NOT NULL,
  user_id_folded TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL, given_name TEXT NOT NULL, family_name TEXT NOT NULL,
  login_email TEXT NOT NULL, login_email_canonical TEXT NOT NULL, login_email_domain TEXT NOT NULL,
  company TEXT NOT NULL, department TEXT NOT NULL, locale TEXT NOT NULL,
  alias TEXT NOT NULL, signature TEXT NOT NULL, card_id TEXT NOT NULL, external_ref TEXT NOT NULL,
  authorised_companies TEXT NOT NULL,  -- ",a,b," so that a LIKE finds one whole name
  roles TEXT NOT NULL,                 -- likewise
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  connection TEXT NOT NULL CHECK (connection IN ('not_connected', 'pending', 'connected')),
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  search_text TEXT NOT NULL            -- what free text is looked for in, case folded, one field a line
) STRICT;
CREATE UNIQUE INDEX users_by_login_email ON users (login_email_canonical) WHERE login_email_canonical <> '';
CREATE INDEX users_unconnected_by_domain ON users (login_email_domain, key)
  WHERE connection <> 'connected' AND login_email_domain <> '';

-- Hires, and the review that stands before anything is sent.
CREATE TABLE employments (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  user BLOB NOT NULL REFERENCES users (key),
  start_date INTEGER NOT NULL,
  end_date INTEGER,
  employment_template TEXT NOT NULL,
  review TEXT NOT NULL CHECK (review IN ('none', 'pending', 'approved', 'rejected')),
  review_actor TEXT NOT NULL, review_reason TEXT NOT NULL, reviewed_at INTEGER,
  withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
  hire_open INTEGER NOT NULL CHECK (hire_open IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX employments_by_user ON employments (user, withdrawn, start_date DESC);
CREATE INDEX employments_in_review ON employments (key) WHERE review = 'pending';
CREATE INDEX employments_ending ON employments (end_date, user) WHERE end_date IS NOT NULL AND withdrawn = 0;

-- Offers to verify one login email.
CREATE TABLE invitations (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  user BLOB NOT NULL REFERENCES users (key),
  generation INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN
    ('draft', 'scheduled', 'released', 'sent', 'verified', 'connected', 'expired', 'superseded', 'revoked', 'cancelled')),
  cause TEXT NOT NULL CHECK (cause IN ('hire', 'asked', 'verified_domain', 'renewal')),
  login_email TEXT NOT NULL, login_email_canonical TEXT NOT NULL,
  due_key INTEGER,  -- yyyymmddhh, local to due_zone: the civil intention (ARCHITECTURE §5)
  due_zone TEXT,
  released_at INTEGER, accepted_at INTEGER, ends_at INTEGER, verified_at INTEGER, ended_at INTEGER,
  end_reason TEXT NOT NULL, held_reason TEXT NOT NULL,
  selector BLOB NOT NULL UNIQUE CHECK (length(selector) = 12),
  salt BLOB CHECK (length(salt) = 16),  -- erased: the link is dead for ever
  key_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (user, generation),
  CHECK ((due_key IS NULL) = (due_zone IS NULL)),
  CHECK (state <> 'scheduled' OR due_key IS NOT NULL),
  CHECK (state <> 'sent' OR ends_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX invitations_one_live ON invitations (user)
  WHERE state IN ('draft', 'scheduled', 'released', 'sent', 'verified');
CREATE INDEX invitations_due ON invitations (due_zone, due_key, key) WHERE state = 'scheduled' AND held_reason = '';
CREATE INDEX invitations_ending ON invitations (ends_at, key) WHERE state = 'sent';
CREATE INDEX invitations_held ON invitations (key) WHERE held_reason <> '';
CREATE INDEX invitations_by_state ON invitations (state, key);

-- Mails on their way, one per invitation; bodies are rendered when needed and never stored.
CREATE TABLE deliveries (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  invitation BLOB NOT NULL UNIQUE REFERENCES invitations (key),
  user BLOB NOT NULL REFERENCES users (key),
  state TEXT NOT NULL CHECK (state IN
    ('queued', 'claimed', 'accepted', 'deferred', 'rejected', 'uncertain', 'cancelled')),
  message_id TEXT NOT NULL UNIQUE,
  rank INTEGER NOT NULL,  -- start date: the earliest start goes first (W11)
  attempts INTEGER NOT NULL, uncertain_tries INTEGER NOT NULL, failures INTEGER NOT NULL,
  next_at INTEGER,        -- null: nobody tries by himself
  lease_owner BLOB, lease_until INTEGER,
  remote_id TEXT NOT NULL, detail TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CHECK (state <> 'claimed' OR lease_owner IS NOT NULL)
) STRICT;
CREATE INDEX deliveries_open ON deliveries (next_at, rank, key)
  WHERE state IN ('queued', 'deferred', 'uncertain') AND next_at IS NOT NULL;
CREATE INDEX deliveries_claimed ON deliveries (lease_owner, key) WHERE state = 'claimed';

CREATE TABLE attempts (
  delivery BLOB NOT NULL REFERENCES deliveries (key),
  number INTEGER NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER,
  outcome TEXT NOT NULL, phase TEXT NOT NULL, code INTEGER NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT;

-- What is owed to the identity provider; a row leaves when it is done.
CREATE TABLE provider_tasks (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  user BLOB NOT NULL REFERENCES users (key),
  invitation BLOB REFERENCES invitations (key),
  kind TEXT NOT NULL CHECK (kind IN ('ensure_account', 'remove_connection', 'reset_password')),
  failures INTEGER NOT NULL, next_at INTEGER,
  detail TEXT NOT NULL, actor TEXT NOT NULL, created_at INTEGER NOT NULL,
  UNIQUE (user, kind)
) STRICT;
CREATE INDEX provider_tasks_open ON provider_tasks (next_at, key) WHERE next_at IS NOT NULL;

-- One person, one account (PRODUCT §7 rule 5): external id = users.key.
CREATE TABLE accounts (
  user BLOB NOT NULL PRIMARY KEY REFERENCES users (key),
  identity TEXT NOT NULL, provider_id TEXT NOT NULL, login_email TEXT NOT NULL, sign_in_url TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE domains (
  name TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('pending', 'verified', 'lapsed')),
  method TEXT NOT NULL, actor TEXT NOT NULL, since INTEGER NOT NULL
) STRICT;

-- Bulk work is planned first and then run exactly so; a run that was interrupted goes on from its items.
CREATE TABLE plans (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  kind TEXT NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'done')),
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE plan_items (
  plan BLOB NOT NULL REFERENCES plans (key),
  number INTEGER NOT NULL,
  user BLOB NOT NULL,
  outcome TEXT NOT NULL,  -- empty: not yet done
  PRIMARY KEY (plan, number)
) STRICT;
CREATE INDEX plan_items_open ON plan_items (plan, number) WHERE outcome = '';

-- The record: each row's hash covers the one before it.
CREATE TABLE audit_events (
  seq INTEGER NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT,  -- erasable: the hash covers only its salted commitment
  salt BLOB,
  commitment BLOB NOT NULL CHECK (length(commitment) = 32),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_events_by_subject ON audit_events (subject, seq);

CREATE TABLE source_cursors (name TEXT NOT NULL PRIMARY KEY, cursor TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE plugin_state (
  instance TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (instance, name)
) STRICT;
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;
