-- $1 pipeline
-- Of each table the steps that load it now, and the last one that failed to.
SELECT s.id, s.run_id, s.status, s.load_number, s.started_at, s.error, s.table_name
FROM control.run r
JOIN control.step s ON s.run_id = r.id AND s.status = 'running'
WHERE r.pipeline = $1 AND r.status IN ('queued', 'running', 'paused', 'cancelling') AND s.scope IS NOT NULL AND s.end_as IS NULL
UNION ALL
(SELECT DISTINCT ON (table_name) id, run_id, status, load_number, started_at, error, table_name
 FROM control.step
 WHERE pipeline = $1 AND status = 'failed' AND scope IS NOT NULL
 ORDER BY table_name, load_number DESC NULLS LAST)
