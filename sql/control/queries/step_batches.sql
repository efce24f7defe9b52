-- $1 pipeline, $2 table
-- Of each batch of files the step that loads it now, and the last one that failed to; newest first, at most 10,000. Whether it was loaded
-- since, the ledger knows.
SELECT s.id, s.run_id, s.status, s.slice_from, s.slice_to, s.load_number, s.started_at, s.error, s.table_name, s.batch, s.batch_at
FROM (
  SELECT DISTINCT ON (x.status, x.files ->> 'batch') x.*, x.files ->> 'batch' AS batch, x.files ->> 'batch_at' AS batch_at
  FROM (
    SELECT s.*
    FROM control.run r
    JOIN control.step s ON s.run_id = r.id AND s.status = 'running'
    WHERE r.pipeline = $1 AND r.status IN ('queued', 'running', 'paused', 'cancelling') AND s.table_name = $2
      AND s.scope = 'files' AND s.end_as IS NULL
    UNION ALL
    SELECT *
    FROM control.step
    WHERE pipeline = $1 AND table_name = $2 AND status = 'failed' AND scope = 'files'
  ) x
  ORDER BY x.status, x.files ->> 'batch', x.load_number DESC NULLS LAST
) s
ORDER BY s.load_number DESC NULLS LAST
LIMIT 10000
