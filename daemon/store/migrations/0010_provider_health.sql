-- How the provider does is asked with every status, also while it owes hundreds of thousands of accounts.
CREATE INDEX provider_tasks_failing ON provider_tasks (key) WHERE failures > 0;
CREATE INDEX provider_tasks_refused ON provider_tasks (key) WHERE next_at IS NULL;
