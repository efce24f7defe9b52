-- $1 run id, $2 pipeline, $3 steps as a JSON array of objects
-- Steps of a plan, waiting for their wave or skipped with a reason; the run is found by their tables from now on.
WITH plan AS MATERIALIZED (
  SELECT *
  FROM jsonb_to_recordset($3::jsonb) AS p (id uuid, kind text, table_name text, wave integer, scope text, slice text,
    slice_from timestamptz, slice_to timestamptz, ordinal bigint, fail_run boolean, files json, skip_reason text)),
faceted AS (
  INSERT INTO control.run_facet (run_id, facet, created_at)
  SELECT r.id, 'table:' || p.table_name, r.created_at
  FROM (SELECT DISTINCT table_name FROM plan WHERE table_name IS NOT NULL) p
  JOIN control.run r ON r.id = $1::uuid
  ON CONFLICT DO NOTHING)
INSERT INTO control.step (id, run_id, pipeline, kind, table_name, wave, scope, slice, slice_from, slice_to, ordinal, fail_run,
  files, status, reason, finished_at)
SELECT p.id, $1::uuid, $2, p.kind, p.table_name, p.wave, p.scope, p.slice, p.slice_from, p.slice_to, p.ordinal, p.fail_run, p.files,
  CASE WHEN p.skip_reason IS NULL THEN 'waiting' ELSE 'skipped' END,
  CASE WHEN p.skip_reason IS NOT NULL THEN json_build_object('code', p.skip_reason, 'detail', NULL) END,
  CASE WHEN p.skip_reason IS NOT NULL THEN clock_timestamp() END
FROM plan p
