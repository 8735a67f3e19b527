-- What lists filter by of other tables stands beside the user, written with what it is about; the one index that holds
-- every filtered column in key order lets a page pass over hundreds of thousands of users that do not fit.
ALTER TABLE users ADD COLUMN newest_invitation TEXT NOT NULL DEFAULT '';  -- its state; empty: none
ALTER TABLE users ADD COLUMN start_date INTEGER;                          -- of the employment in force
ALTER TABLE users ADD COLUMN review TEXT NOT NULL DEFAULT '';             -- likewise; empty: no employment
UPDATE users SET newest_invitation = coalesce(
  (SELECT i.state FROM invitations i WHERE i.user = users.key ORDER BY i.generation DESC LIMIT 1), '');
UPDATE users SET (start_date, review) = (SELECT e.start_date, e.review FROM employments e WHERE e.user = users.key
    ORDER BY e.withdrawn, e.over, CASE WHEN e.withdrawn = 0 AND e.over = 0 THEN e.start_date ELSE -e.start_date END
    LIMIT 1)
  WHERE EXISTS (SELECT 1 FROM employments e WHERE e.user = users.key);
CREATE INDEX users_by_filter ON users (key, company, department, enabled, connection, newest_invitation, start_date,
  review, login_email_domain, roles, authorised_companies);
CREATE INDEX users_by_search ON users (key, search_text);
