-- $1 run_id, $2 after id, $3 limit
-- In the order they were kept. The raw text holds nothing that is masked.
SELECT q.id, to_jsonb(v)
  FROM loadstar.quarantine q
 CROSS JOIN LATERAL (SELECT q.id::text, q.pipeline, split_part(q.table_name, '.', 2) AS "table", q.run_id, q.step_id, q.slice,
                            q.file, q.line, q.column_name AS "column", q.rule, q.raw_text AS raw, q.state, q.reason,
                            to_char(q.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at) v
 WHERE q.run_id = $1::uuid AND q.id > $2::bigint
 ORDER BY q.id
 LIMIT $3::bigint
