-- $1 pipeline, $2 source or NULL, $3 table or NULL, $4 state or NULL, $5 since or NULL, $6 load_id and $7 file_id of the last one seen
-- or NULL, $8 limit
-- Newest load first.
SELECT l.load_id, l.file_id, to_jsonb(v)
  FROM loadstar.file_ledger l
 CROSS JOIN LATERAL (SELECT l.file_id::text AS id, l.pipeline, l.source, split_part(l.table_name, '.', 2) AS "table", l.path, l.size,
                            l.batch, l.state AS status, l.run_id, l.rows, l.rejected, l.error,
                            to_char(l.arrived_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS arrived_at,
                            to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at) v
 WHERE l.pipeline = $1 AND ($2::text IS NULL OR l.source = $2)
   AND ($3::text IS NULL OR split_part(l.table_name, '.', 2) = $3) AND ($4::text IS NULL OR l.state = $4)
   AND ($5::timestamptz IS NULL OR l.recorded_at >= $5::timestamptz)
   AND ($6::bigint IS NULL OR (l.load_id, l.file_id) < ($6::bigint, $7::bigint))
 ORDER BY l.load_id DESC, l.file_id DESC
 LIMIT $8::bigint
