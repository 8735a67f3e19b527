-- Review flows and templates: which flow a hire is in, who entered it (four eyes), and each approval that was given.
ALTER TABLE employments ADD COLUMN flow TEXT NOT NULL DEFAULT '';        -- name as configured; empty: no review
ALTER TABLE employments ADD COLUMN entered_by TEXT NOT NULL DEFAULT '';  -- actors, one a line
UPDATE employments SET flow = 'default' WHERE review <> 'none';

CREATE TABLE review_approvals (
  employment BLOB NOT NULL REFERENCES employments (key),
  step TEXT NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (employment, step)
) STRICT;

-- Who was approved under the single step of old has it on record.
INSERT INTO review_approvals (employment, step, actor, at)
  SELECT key, 'approval', review_actor, coalesce(reviewed_at, created_at) FROM employments WHERE review = 'approved';

-- A row without a user-id is found again by its reference in the HR system.
CREATE INDEX users_by_external_ref ON users (external_ref) WHERE external_ref <> '';
