-- $1 run id, $2 id of the last result seen, $3 limit
-- What the checks of a run came to, each step by its attempt that counts, in the order it was kept.
SELECT q.id, q.run_id, q.step_id, q.attempt, q.pipeline, q.table_name, q.check_name, q.kind, q.severity, q.gate,
  q.scope AS check_scope, q.status, q.expected, q.observed, q.rows_checked, q.rows_failed, q.sample, q.error, q.at,
  q.duration_ms, s.scope, s.slice, s.slice_from, s.slice_to, s.files
FROM control.quality q
JOIN control.step s ON s.id = q.step_id
WHERE q.run_id = $1::uuid AND q.latest AND q.id > $2::bigint
ORDER BY q.id
LIMIT $3::bigint
