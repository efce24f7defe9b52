-- $1 pipeline, $2 rule as seen, $3 decided until as seen
-- No row: another replica has decided.
SELECT 1 FROM control.schedule WHERE pipeline = $1 AND rule = $2 AND decided_until = $3::timestamptz FOR UPDATE
