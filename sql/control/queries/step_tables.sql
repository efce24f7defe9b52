-- $1 pipeline
-- The steps that load tables now; and of each slice the last one that failed to, newest first, at most 1,000. Whether something newer
-- is there since, the ledger knows.
SELECT s.id, s.run_id, s.status, s.slice_from, s.slice_to, s.load_number, s.started_at, s.error, s.table_name
FROM control.run r
JOIN control.step s ON s.run_id = r.id AND s.status = 'running'
WHERE r.pipeline = $1 AND r.status IN ('queued', 'running', 'paused', 'cancelling') AND s.scope IS NOT NULL AND s.end_as IS NULL
UNION ALL
(SELECT f.*
 FROM (SELECT DISTINCT ON (table_name, slice) id, run_id, status, slice_from, slice_to, load_number, started_at, error, table_name
       FROM control.step
       WHERE pipeline = $1 AND status = 'failed' AND scope IS NOT NULL
       ORDER BY table_name, slice, load_number DESC NULLS LAST) f
 ORDER BY f.load_number DESC NULLS LAST
 LIMIT 1000)
