-- $1 view_name, $2 pipeline, $3 statement_hash, $4 state, $5 run_id
INSERT INTO loadstar.view (view_name, pipeline, statement_hash, state, run_id)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (view_name) DO UPDATE SET pipeline = excluded.pipeline, statement_hash = excluded.statement_hash,
       state = excluded.state, run_id = excluded.run_id, applied_at = clock_timestamp()
