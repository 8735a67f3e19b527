-- Employments that follow each other: the earliest one that is not over is in force. Between two of them with a gap the
-- user is disabled, and comes back when the invitation of the next one is due.
ALTER TABLE employments ADD COLUMN over INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1));
ALTER TABLE employments ADD COLUMN gap TEXT NOT NULL DEFAULT 'none' CHECK (gap IN ('none', 'waits', 'over'));

-- Until now the latest one was in force.
UPDATE employments SET over = 1 WHERE withdrawn = 0 AND EXISTS (
  SELECT 1 FROM employments later WHERE later.user = employments.user AND later.withdrawn = 0
    AND later.start_date > employments.start_date);

CREATE INDEX employments_in_gap ON employments (key) WHERE gap = 'waits';
CREATE INDEX employments_to_end ON employments (end_date, key) WHERE withdrawn = 0 AND over = 0 AND end_date IS NOT NULL;
