-- Few of many employments wait for their invitation: looked for at each start.
CREATE INDEX employments_open_hires ON employments (key) WHERE hire_open = 1 AND withdrawn = 0;
