-- $1 run id, $2 status, $3 table, $4 wave, $5 ordinal and $6 id of the last step seen, $7 limit, $8 how many steps are read; null
-- does not filter
SELECT s.id, s.run_id, s.kind, s.table_name, s.scope, s.slice, s.slice_from, s.slice_to, s.status, s.reason,
  CASE WHEN s.status = 'queued' AND s.retry_at > now() THEN s.retry_at END AS retry_at, s.started_at, s.finished_at,
  s.rows, s.effects, s.error, s.wave, s.ordinal, s.end_as, s.files, s.matched, s.last
FROM (
  SELECT s.*, row_number() OVER (ORDER BY s.wave, s.ordinal, s.id) = $8::bigint AS last,
    ($2::text IS NULL OR s.status = $2) AND ($3::text IS NULL OR s.table_name IS NOT DISTINCT FROM $3) AS matched
  FROM (
    SELECT s.*
    FROM control.step s
    WHERE s.run_id = $1::uuid
      AND (s.wave, s.ordinal, s.id) > (coalesce($4::bigint, -1), coalesce($5::bigint, -9223372036854775807),
        coalesce($6::uuid, '00000000-0000-0000-0000-000000000000'))
    ORDER BY s.wave, s.ordinal, s.id
    LIMIT $8::bigint) s) s
WHERE s.matched OR s.last
ORDER BY s.wave, s.ordinal, s.id
LIMIT $7::bigint
