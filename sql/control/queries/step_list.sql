-- $1 run id, $2 status, $3 table, $4 wave, $5 ordinal and $6 id of the last step seen, $7 limit; null does not filter
SELECT s.id, s.run_id, s.kind, s.table_name, s.scope, s.slice, s.slice_from, s.slice_to, s.status, s.reason,
  CASE WHEN s.status = 'queued' AND s.retry_at > now() THEN s.retry_at END AS retry_at, s.started_at, s.finished_at,
  s.rows, s.effects, s.error, s.wave, s.ordinal, s.end_as, s.files
FROM control.step s
WHERE s.run_id = $1::uuid
  AND ($2::text IS NULL OR s.status = $2)
  AND ($3::text IS NULL OR s.table_name = $3)
  AND ($6::uuid IS NULL OR (s.wave, s.ordinal, s.id) > ($4::bigint, $5::bigint, $6))
ORDER BY s.wave, s.ordinal, s.id
LIMIT $7::bigint
