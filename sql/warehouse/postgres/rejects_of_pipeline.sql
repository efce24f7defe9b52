-- $1 pipeline, $2 table or NULL, $3 state or NULL, $4 before id or NULL, $5 limit
-- Newest first. The raw text holds nothing that is masked.
SELECT q.id, to_jsonb(v)
  FROM loadstar.quarantine q
 CROSS JOIN LATERAL (SELECT q.id::text, q.pipeline, split_part(q.table_name, '.', 2) AS "table", q.run_id, q.step_id, q.slice,
                            q.file, q.line, q.column_name AS "column", q.rule, q.raw_text AS raw, q.state, q.reason,
                            to_char(q.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at) v
 WHERE q.pipeline = $1 AND ($2::text IS NULL OR split_part(q.table_name, '.', 2) = $2) AND ($3::text IS NULL OR q.state = $3)
   AND ($4::bigint IS NULL OR q.id < $4::bigint)
 ORDER BY q.id DESC
 LIMIT $5::bigint
