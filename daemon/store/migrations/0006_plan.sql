-- When the leaver rule disables a user, as it was last computed: the first date on which the user is no longer active,
-- local to a zone. Only those who are still to leave stand in the index, however many left before.
ALTER TABLE users ADD COLUMN leaves_on INTEGER;   -- yyyymmdd
ALTER TABLE users ADD COLUMN leaves_zone TEXT;
CREATE INDEX users_leaving ON users (leaves_zone, leaves_on, key) WHERE leaves_on IS NOT NULL;

-- Whose plan depends on an end date; the sweep itself now asks the index above.
DROP INDEX employments_ending;
CREATE INDEX employments_with_end ON employments (user) WHERE end_date IS NOT NULL AND withdrawn = 0;

-- Every plan is made again at the next start: that fills in the new columns.
UPDATE meta SET value = '' WHERE name = 'plan_settings';
