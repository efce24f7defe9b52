-- $1 step_id, $2 run_id, $3 pipeline, $4 table_name, $5 slice, $6 scope, $7 slice_from, $8 slice_to, $9 load_id,
-- $10 spec_hash, $11 result, $12 content_hash, $13 snapshot_at, $14 lag in milliseconds
-- The state is judged by the time of the extraction, not of the commit: rows that came in between are not in it.
INSERT INTO loadstar.slice_ledger
       (step_id, run_id, pipeline, table_name, slice, scope, slice_from, slice_to, load_id, state, spec_hash, result, content_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $9,
        CASE WHEN $6 = 'time' AND $8::timestamptz > $13::timestamptz - $14::bigint * interval '1 millisecond'
             THEN 'open' ELSE 'loaded' END,
        $10, $11::jsonb, $12)
RETURNING state, committed_at
