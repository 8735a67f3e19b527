-- Domains proven by DNS: what must be published, and what the last look at it found.
ALTER TABLE domains ADD COLUMN challenge TEXT NOT NULL DEFAULT '';  -- empty: nothing is to be published
ALTER TABLE domains ADD COLUMN checked_at INTEGER;
ALTER TABLE domains ADD COLUMN next_check_at INTEGER;               -- null: nobody looks by himself
ALTER TABLE domains ADD COLUMN failing_since INTEGER;
ALTER TABLE domains ADD COLUMN detail TEXT NOT NULL DEFAULT '';
CREATE INDEX domains_due ON domains (next_check_at) WHERE next_check_at IS NOT NULL;
