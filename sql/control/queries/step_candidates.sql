-- $1 boot id, $2 limit, $3 step ids to leave out uuid[], $4 true: revocations only
-- Steps that could be claimed, revocations first, then by the run's priority and age; a picture only, nothing is locked. A
-- replica whose lease is over gets none. What an older run has ready and cannot start, because something else loads there, nobody
-- younger overtakes: or a month would wait for ever while one day after the other is loaded in it.
WITH ends AS (
  SELECT s.id, s.run_id
  FROM control.step s
  WHERE s.end_as IS NOT NULL AND s.status IN ('queued', 'running')
    AND (s.status = 'queued' AND s.retry_at <= now() OR s.status = 'running' AND NOT s.revoking)
    AND s.id <> ALL ($3::uuid[])
  LIMIT $2::bigint),
normal AS (
  SELECT s.id, r.id AS run_id
  FROM (
    SELECT r.id, r.priority, r.created_at, CASE WHEN r.max_parallel > 0 THEN r.max_parallel - (
        SELECT count(*) FROM control.step b WHERE b.run_id = r.id AND b.status = 'running' AND b.end_as IS NULL)
      ELSE $2::bigint END AS room
    FROM control.run r
    WHERE r.status IN ('queued', 'running') AND NOT $4::boolean
    ORDER BY r.priority DESC, r.created_at, r.id) r
  CROSS JOIN LATERAL (
    SELECT s.id, row_number() OVER (ORDER BY s.ordinal, s.id) AS place
    FROM control.step s
    WHERE r.room > 0 AND s.run_id = r.id AND s.status = 'queued' AND s.end_as IS NULL AND s.retry_at <= now()
      AND s.id <> ALL ($3::uuid[])
      AND (s.warehouse_table IS NULL OR NOT EXISTS (
        SELECT FROM control.step b
        WHERE b.status = 'running' AND b.end_as IS NULL AND b.warehouse_table = s.warehouse_table AND b.span && s.span)
      AND NOT EXISTS (
        SELECT FROM control.step e
        JOIN control.run o ON o.id = e.run_id AND o.status IN ('queued', 'running')
          AND (-o.priority, o.created_at, o.id) < (-r.priority, r.created_at, r.id)
        WHERE e.status = 'queued' AND e.end_as IS NULL AND e.warehouse_table = s.warehouse_table AND e.span && s.span
          AND e.retry_at <= now() AND EXISTS (
            SELECT FROM control.step b
            WHERE b.status = 'running' AND b.end_as IS NULL AND b.warehouse_table = e.warehouse_table AND b.span && e.span
              AND b.run_id <> e.run_id)))
    ORDER BY s.ordinal, s.id
    LIMIT $2::bigint) s
  WHERE s.place <= r.room
  ORDER BY r.priority DESC, r.created_at, r.id, s.place
  LIMIT $2::bigint)
SELECT id, run_id
FROM (SELECT id, run_id FROM ends UNION ALL SELECT id, run_id FROM normal) AS c
WHERE EXISTS (SELECT FROM control.replica p WHERE p.boot_id = $1 AND p.lease_until > now())
LIMIT $2::bigint
