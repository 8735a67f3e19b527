-- Brakes and pacing. A batch is what one import, one pass of the scheduler or one change of settings would do at once;
-- too large, it is held as a whole until a person releases or discards it.
CREATE TABLE batches (
  key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
  cause TEXT NOT NULL CHECK (cause IN ('import', 'sync', 'push', 'schedule', 'settings')),
  source TEXT NOT NULL,  -- instance name; empty: no source
  actor TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN
    ('open', 'filling', 'held', 'releasing', 'discarding', 'released', 'discarded')),
  reason TEXT NOT NULL,  -- why it is held: a stable code
  detail TEXT NOT NULL,  -- the same as a sentence
  mails INTEGER NOT NULL, withdrawals INTEGER NOT NULL,  -- as counted when it was decided
  decided_by TEXT NOT NULL, decided_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX batches_by_state ON batches (state, key);
CREATE TABLE batch_items (
  batch BLOB NOT NULL REFERENCES batches (key),
  number INTEGER NOT NULL,
  act TEXT NOT NULL CHECK (act IN ('release', 'withdraw', 'disable')),
  user BLOB NOT NULL REFERENCES users (key),
  employment BLOB REFERENCES employments (key),  -- the one to withdraw
  company TEXT NOT NULL,
  rank INTEGER NOT NULL,  -- start date: the earliest start goes first (W11)
  outcome TEXT NOT NULL,  -- empty: waits
  PRIMARY KEY (batch, number)
) STRICT;
CREATE INDEX batch_items_open ON batch_items (batch, act, rank, number) WHERE outcome = '';
CREATE UNIQUE INDEX batch_items_waiting ON batch_items (user, act) WHERE outcome = '';

-- How many mails the rules released on each local day of the organisation: what a usual day is.
CREATE TABLE release_days (
  date INTEGER NOT NULL PRIMARY KEY,  -- yyyymmdd
  released INTEGER NOT NULL
) STRICT;

-- The next moment at which a paced company's mail may begin its way.
CREATE TABLE pace (
  company TEXT NOT NULL PRIMARY KEY,
  next_free INTEGER NOT NULL
) STRICT;
