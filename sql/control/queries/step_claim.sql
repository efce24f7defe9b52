-- $1 step ids uuid[] in order of preference, $2 boot id
-- Claims those of the steps that still can be, now that their runs are locked: attempts, load numbers, superseded attempts,
-- started runs, the outbox. run_status is the one before the claim.
WITH candidate AS MATERIALIZED (
  SELECT c.place, s.id, s.run_id, s.end_as, s.warehouse_table, s.span, s.boot_id, s.attempt_count, r.max_parallel,
    row_number() OVER (PARTITION BY s.run_id, s.end_as IS NULL ORDER BY c.place) AS place_in_run
  FROM unnest($1::uuid[]) WITH ORDINALITY AS c (id, place)
  JOIN control.step s ON s.id = c.id
  JOIN control.run r ON r.id = s.run_id
  WHERE (s.end_as IS NOT NULL
      AND (s.status = 'queued' AND s.retry_at <= now() OR s.status = 'running' AND NOT s.revoking))
    OR (s.end_as IS NULL AND s.status = 'queued' AND s.retry_at <= now() AND r.status IN ('queued', 'running')
      AND NOT EXISTS (
        SELECT FROM control.step b
        WHERE b.status = 'running' AND b.end_as IS NULL AND b.warehouse_table = s.warehouse_table AND b.span && s.span))),
wanted AS MATERIALIZED (
  SELECT c.*
  FROM candidate c
  WHERE c.end_as IS NOT NULL
    OR ((c.max_parallel = 0 OR c.place_in_run <= c.max_parallel - (
          SELECT count(*) FROM control.step b WHERE b.run_id = c.run_id AND b.status = 'running' AND b.end_as IS NULL))
      AND NOT EXISTS (
        SELECT FROM candidate e
        WHERE e.place < c.place AND e.end_as IS NULL AND e.warehouse_table = c.warehouse_table AND e.span && c.span))),
taken AS (
  UPDATE control.step s SET status = 'running', revoking = s.end_as IS NOT NULL, touched = true, boot_id = $2,
    load_number = nextval('control.load_number'), attempt_count = s.attempt_count + 1,
    tries = s.tries + (CASE WHEN s.end_as IS NULL THEN 1 ELSE 0 END),
    started_at = coalesce(s.started_at, clock_timestamp()), waiting_for = NULL
  FROM wanted w
  WHERE s.id = w.id
  RETURNING s.*, w.place, w.boot_id AS previous_boot_id),
superseded AS (
  UPDATE control.attempt a SET status = 'superseded', finished_at = clock_timestamp()
  FROM taken t
  WHERE a.step_id = t.id AND a.n = t.attempt_count - 1 AND a.status = 'running'),
attempted AS (
  INSERT INTO control.attempt (step_id, n, status, worker, boot_id, load_number)
  SELECT t.id, t.attempt_count, 'running', coalesce(
    (SELECT nullif(p.host, '') FROM control.replica p WHERE p.boot_id = $2), $2), $2, t.load_number
  FROM taken t),
started AS (
  UPDATE control.run r SET status = CASE WHEN r.status = 'queued' THEN 'running' ELSE r.status END,
    started_at = coalesce(r.started_at, clock_timestamp()), changed_at = clock_timestamp(), version = r.version + 1
  WHERE r.id IN (SELECT t.run_id FROM taken t)
  RETURNING r.id, r.status, r.version),
noted AS (
  INSERT INTO control.outbox (run_id, kind, payload)
  SELECT id, 'run', json_build_object('version', version, 'status', status) FROM started)
SELECT t.id, t.run_id, t.pipeline, t.kind, t.table_name, t.scope, t.slice, t.slice_from, t.slice_to, t.load_number,
  t.attempt_count, t.tries, t.end_as, t.previous_boot_id, t.ready_at, r.status AS run_status, r.type AS run_type, r.mode,
  r.slice AS run_slice, r.spec_version, r.range_from, r.range_to, r.attempt AS run_attempt, r.tables, r.params, r.allow,
  r.descending, r.created_at AS run_created_at, t.files,
  coalesce((SELECT p.epoch FROM control.pipeline p WHERE p.name = t.pipeline), (SELECT epoch FROM control.identity)) AS epoch,
  CASE WHEN t.place = min(t.place) OVER () THEN pg_notify('loadstar_outbox', '') END
FROM taken t
JOIN control.run r ON r.id = t.run_id
ORDER BY t.place
