-- $1 pipelines text[] or null: all, $2 table, $3 check, $4 status, $5 since, $6 until, $7 at and $8 id of the last result
-- seen, $9 limit; null does not filter
-- Results, newest first: the newest of each pipeline by quality_newest, merged.
SELECT q.id, q.run_id, q.step_id, q.attempt, q.pipeline, q.table_name, q.check_name, q.kind, q.severity, q.gate,
  q.scope AS check_scope, q.status, q.expected, q.observed, q.rows_checked, q.rows_failed, q.sample, q.error, q.at,
  q.duration_ms, s.scope, s.slice, s.slice_from, s.slice_to, s.files
FROM (SELECT DISTINCT unnest(coalesce($1::text[], (SELECT array_agg(name) FROM control.pipeline))) AS name) AS wanted
CROSS JOIN LATERAL (
  SELECT q.*
  FROM control.quality q
  WHERE q.pipeline = wanted.name
    AND ($2::text IS NULL OR q.table_name = $2)
    AND ($3::text IS NULL OR q.check_name = $3)
    AND ($4::text IS NULL OR q.status = $4)
    AND ($5::timestamptz IS NULL OR q.at >= $5)
    AND ($6::timestamptz IS NULL OR q.at < $6)
    AND ($7::timestamptz IS NULL OR (q.at, q.id) < ($7, $8::bigint))
  ORDER BY q.at DESC, q.id DESC
  LIMIT $9::bigint) q
JOIN control.step s ON s.id = q.step_id
ORDER BY q.at DESC, q.id DESC
LIMIT $9::bigint
