-- $1 pipelines text[] or null: all, $2 table, $3 check, $4 status, $5 since, $6 at and $7 id of what the page ends before, $8 limit,
-- $9 how many results of each pipeline are read; null does not filter, but see below; $5 to $9 are not null
-- Results, newest first: the newest of each pipeline by quality_of_pipeline, merged.
SELECT q.id, q.run_id, q.step_id, q.attempt, q.pipeline, q.table_name, q.check_name, q.kind, q.severity, q.gate,
  q.scope AS check_scope, q.status, q.expected, q.observed, q.rows_checked, q.rows_failed, q.sample, q.error, q.at,
  q.duration_ms, s.scope, s.slice, s.slice_from, s.slice_to, s.files, q.matched, q.last, q.over
FROM (SELECT DISTINCT unnest(coalesce($1::text[], (SELECT array_agg(name) FROM control.pipeline))) AS name) AS wanted
CROSS JOIN LATERAL (
  SELECT q.*
  FROM (
    SELECT q.*, q.at < $5::timestamptz AS over, row_number() OVER (ORDER BY q.place DESC, q.at DESC, q.id DESC) = $9::bigint AS last,
      ($2::text IS NULL OR q.table_name IS NOT DISTINCT FROM $2) AND ($3::text IS NULL OR q.check_name = $3)
        AND ($4::text IS NULL OR q.status = $4) AS matched
    FROM (
      SELECT q.*, q.pipeline AS place
      FROM control.quality q
      WHERE (q.pipeline, q.at, q.id) < (wanted.name, $6::timestamptz, $7::bigint)
        AND q.pipeline >= wanted.name
      ORDER BY q.pipeline DESC, q.at DESC, q.id DESC
      LIMIT $9::bigint) q) q
  WHERE q.matched OR q.last OR q.over
  ORDER BY q.place DESC, q.at DESC, q.id DESC
  LIMIT $8::bigint) q
CROSS JOIN LATERAL (SELECT * FROM control.step s WHERE s.id = q.step_id OFFSET 0) s
ORDER BY q.at DESC, q.id DESC
LIMIT $8::bigint
