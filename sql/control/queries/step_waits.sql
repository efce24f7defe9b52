-- $1 run id, $2 step ids uuid[]
-- What tells for what those of the run's steps wait that are not final. before: tables of the open wave that are not finished,
-- four at most; other: a running step that a queued one may not overlap, or an older one that waits for such (step_candidates).
SELECT s.id, s.status, r.status = 'paused' AND s.end_as IS NULL AND s.status <> 'running' AS paused,
  s.end_as IS NULL AND r.max_parallel > 0 AND r.running >= r.max_parallel AS full, r.max_parallel,
  s.retry_at > now() AS again, coalesce(r.served_until > now(), false) AS served, coalesce(q.lease_until > now(), false) AS alive,
  s.end_as, s.error, s.waiting_for, r.before, o.what AS other, s.ready_at, r.planned_at, r.changed_at,
  (SELECT a.finished_at FROM control.attempt a WHERE a.step_id = s.id AND a.n = s.attempt_count) AS tried_at,
  greatest(s.ready_at, o.since) AS other_since, greatest(s.ready_at, r.served_until) AS served_until,
  coalesce(q.lease_until, s.started_at) AS lease_until
FROM (
  SELECT r.id, r.status, r.max_parallel, r.changed_at, r.priority, r.created_at,
    (SELECT count(*) FROM control.step b WHERE b.run_id = r.id AND b.status = 'running' AND b.end_as IS NULL) AS running,
    (SELECT max(p.lease_until) FROM control.replica p) AS served_until,
    (SELECT p.finished_at FROM control.step p WHERE p.run_id = r.id AND p.kind = 'plan' LIMIT 1) AS planned_at,
    ARRAY(
      SELECT coalesce(b.table_name, b.kind)
      FROM control.step b
      WHERE b.run_id = r.id AND b.wave = r.wave AND b.status IN ('queued', 'running')
      GROUP BY coalesce(b.table_name, b.kind)
      ORDER BY min(b.ordinal), 1
      LIMIT 4)::text AS before
  FROM control.run r
  WHERE r.id = $1::uuid) AS r
JOIN control.step s ON s.run_id = r.id
LEFT JOIN control.replica q ON s.status = 'running' AND q.boot_id = s.boot_id
LEFT JOIN LATERAL (
  SELECT 'run ' || b.run_id || ' loads ' || b.slice || ' of ' || b.table_name AS what, b.started_at AS since
  FROM control.step b
  WHERE s.status = 'queued' AND s.end_as IS NULL AND b.status = 'running' AND b.end_as IS NULL
    AND b.warehouse_table = s.warehouse_table AND b.span && s.span
  UNION ALL
  SELECT 'run ' || e.run_id || ' waits to load ' || e.slice || ' of ' || e.table_name || ', and is older', e.ready_at
  FROM control.step e
  JOIN control.run y ON y.id = e.run_id AND y.status IN ('queued', 'running')
    AND (-y.priority, y.created_at, y.id) < (-r.priority, r.created_at, r.id)
  WHERE s.status = 'queued' AND s.end_as IS NULL AND e.status = 'queued' AND e.end_as IS NULL
    AND e.warehouse_table = s.warehouse_table AND e.span && s.span AND e.retry_at <= now() AND EXISTS (
      SELECT FROM control.step b
      WHERE b.status = 'running' AND b.end_as IS NULL AND b.warehouse_table = e.warehouse_table AND b.span && e.span
        AND b.run_id <> e.run_id)
  LIMIT 1) AS o ON true
WHERE s.id = ANY ($2::uuid[]) AND s.status IN ('waiting', 'queued', 'running')
