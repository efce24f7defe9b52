-- $1 run id, $2 step id, $3 pipeline, $4 results as a JSON array
-- Results of an attempt, once; those of the step's other attempts count no more. Gives how the run's numbers change.
WITH result AS MATERIALIZED (
  SELECT *
  FROM json_to_recordset($4::json) AS r (attempt integer, "table" text, "check" text, kind text, severity text, gate text,
    scope text, status text, expected text, observed text, rows_checked bigint, rows_failed bigint, sample json, error text,
    at timestamptz, duration_ms bigint)),
older AS (
  UPDATE control.quality q SET latest = false
  WHERE q.step_id = $2::uuid AND q.latest AND q.attempt NOT IN (SELECT r.attempt FROM result r)
  RETURNING q.status),
written AS (
  INSERT INTO control.quality AS q (run_id, step_id, attempt, pipeline, table_name, check_name, kind, severity, gate, scope,
    status, expected, observed, rows_checked, rows_failed, sample, error, at, duration_ms)
  SELECT $1::uuid, $2::uuid, r.attempt, $3, r."table", r."check", r.kind, r.severity, r.gate, r.scope, r.status, r.expected,
    r.observed, r.rows_checked, r.rows_failed, r.sample, r.error, r.at, r.duration_ms
  FROM result r
  ON CONFLICT (step_id, attempt, check_name) DO UPDATE SET latest = true WHERE NOT q.latest
  RETURNING q.status),
changed AS (
  SELECT status, 1 AS n FROM written
  UNION ALL
  SELECT status, -1 FROM older)
SELECT coalesce(sum(n) FILTER (WHERE status = 'passed'), 0)::bigint AS passed,
  coalesce(sum(n) FILTER (WHERE status = 'warned'), 0)::bigint AS warned,
  coalesce(sum(n) FILTER (WHERE status = 'failed'), 0)::bigint AS failed,
  coalesce(sum(n) FILTER (WHERE status = 'error'), 0)::bigint AS errored
FROM changed
