-- How far an attempt came that failed for good: what it had read and classified when it stopped.

ALTER TABLE control.attempt ADD COLUMN rows json;
