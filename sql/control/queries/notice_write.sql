-- $1 run id, $2 attempt, $3 pipeline, $4 spec version, $5 final status, $6 true when an error check said no, $7 run as JSON
-- Part of the change that ends a run: whether the pipeline is in trouble, and what those are told whom the run's version names.
WITH opened AS (
  INSERT INTO control.incident (pipeline, run_id) SELECT $3, $1::uuid WHERE $5 IN ('failed', 'partial')
  ON CONFLICT (pipeline) DO NOTHING),
over AS (
  DELETE FROM control.incident WHERE pipeline = $3 AND $5 = 'succeeded' RETURNING 1),
happened (event) AS (
  SELECT $5 WHERE $5 <> 'cancelled'
  UNION ALL SELECT 'quality' WHERE $6::boolean AND $5 IN ('failed', 'partial')
  UNION ALL SELECT 'recovered' FROM over)
INSERT INTO control.notice (id, run_id, attempt, pipeline, event, target, body)
SELECT gen_random_uuid(), $1::uuid, $2::integer, $3, h.event, n.value->>'to', $7::json
FROM control.pipeline_version v
CROSS JOIN jsonb_array_elements(v.notify) n
JOIN happened h ON n.value->'events' ? h.event
WHERE v.pipeline = $3 AND v.hash = $4
ON CONFLICT (run_id, attempt, event, target) DO NOTHING
