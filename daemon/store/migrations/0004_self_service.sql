-- The page on which a person types her own address during the preparation phase: one per user, for minutes. The URL's
-- secret is derived as a link's is: neither this row alone nor the key alone is enough.
CREATE TABLE self_service (
  user BLOB NOT NULL PRIMARY KEY REFERENCES users (key),
  selector BLOB NOT NULL UNIQUE CHECK (length(selector) = 12),
  salt BLOB NOT NULL CHECK (length(salt) = 16),
  key_id INTEGER NOT NULL,
  tries INTEGER NOT NULL,  -- addresses taken or refused through this page
  ends_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX self_service_ending ON self_service (ends_at);

-- A mail is of a kind now: the verification, or "your sign-in is ready" after a connection that a verified domain made;
-- at most one of each for an invitation. SQLite widens a unique constraint by copying; attempts goes along because it
-- refers to the table.
CREATE TABLE deliveries_wide (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  invitation BLOB NOT NULL REFERENCES invitations (key),
  kind TEXT NOT NULL CHECK (kind IN ('verification', 'sign_in_ready')),
  user BLOB NOT NULL REFERENCES users (key),
  state TEXT NOT NULL CHECK (state IN
    ('queued', 'claimed', 'accepted', 'deferred', 'rejected', 'uncertain', 'cancelled')),
  message_id TEXT NOT NULL UNIQUE,
  rank INTEGER NOT NULL,
  attempts INTEGER NOT NULL, uncertain_tries INTEGER NOT NULL, failures INTEGER NOT NULL,
  next_at INTEGER,
  lease_owner BLOB, lease_until INTEGER,
  remote_id TEXT NOT NULL, detail TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (invitation, kind),
  CHECK (state <> 'claimed' OR lease_owner IS NOT NULL)
) STRICT;
CREATE TABLE attempts_wide (
  delivery BLOB NOT NULL REFERENCES deliveries_wide (key),
  number INTEGER NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER,
  outcome TEXT NOT NULL, phase TEXT NOT NULL, code INTEGER NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT;
INSERT INTO deliveries_wide (key, invitation, kind, user, state, message_id, rank, attempts, uncertain_tries, failures,
                             next_at, lease_owner, lease_until, remote_id, detail, created_at)
  SELECT key, invitation, 'verification', user, state, message_id, rank, attempts, uncertain_tries, failures,
         next_at, lease_owner, lease_until, remote_id, detail, created_at FROM deliveries;
INSERT INTO attempts_wide (delivery, number, started_at, ended_at, outcome, phase, code, detail)
  SELECT delivery, number, started_at, ended_at, outcome, phase, code, detail FROM attempts;
DROP TABLE attempts;
DROP TABLE deliveries;
ALTER TABLE deliveries_wide RENAME TO deliveries;
ALTER TABLE attempts_wide RENAME TO attempts;
CREATE INDEX deliveries_open ON deliveries (next_at, rank, key)
  WHERE state IN ('queued', 'deferred', 'uncertain') AND next_at IS NOT NULL;
CREATE INDEX deliveries_claimed ON deliveries (lease_owner, key) WHERE state = 'claimed';
