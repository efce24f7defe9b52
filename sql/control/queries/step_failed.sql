-- $1 pipeline, $2 table
-- Slices of the table that a step failed to load, each once. Whether they were loaded since, the ledger knows.
SELECT DISTINCT s.slice_from, s.slice_to
FROM control.step s
WHERE s.pipeline = $1 AND s.table_name = $2 AND s.status = 'failed' AND s.scope = 'time'
ORDER BY s.slice_from, s.slice_to
