-- $1 run id
-- For a run that ends: did a step end cancelled, and did any step that loads a table succeed (or need nothing)? What a range
-- leaves as it is says nothing of that.
SELECT EXISTS (SELECT FROM control.step WHERE run_id = $1::uuid AND status = 'cancelled') AS cancelled,
  EXISTS (SELECT FROM control.step WHERE run_id = $1::uuid AND kind IN ('stage', 'dimension', 'fact', 'export', 'sql')
    AND (status = 'succeeded' OR status = 'skipped' AND reason ->> 'code' <> 'no_time')) AS loaded,
  (SELECT error FROM control.step WHERE run_id = $1::uuid AND status = 'failed'
    ORDER BY fail_run DESC, finished_at, id LIMIT 1) AS error
