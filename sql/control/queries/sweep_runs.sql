-- $1 age in milliseconds, $2 how many at most, $3 how many steps they may have together (one run may have more)
-- Runs that ended so long ago and have no lines left, the oldest first, with all that hangs on them; readers are told. Left
-- are those that say when a table was last loaded, or when a pipeline last succeeded.
WITH old AS MATERIALIZED (
  SELECT r.id, r.finished_at, r.steps_total
  FROM control.run r
  WHERE r.finished_at < now() - $1::bigint * interval '1 millisecond' AND NOT r.logs_kept
    AND r.status IN ('succeeded', 'partial', 'failed', 'cancelled')
    AND NOT (r.status = 'succeeded' AND NOT EXISTS (
      SELECT FROM control.run n
      WHERE n.pipeline || ' ' || n.status = r.pipeline || ' succeeded' AND (n.created_at, n.id) > (r.created_at, r.id)))
    AND NOT EXISTS (
      SELECT FROM control.step s
      WHERE s.run_id = r.id AND s.status = 'succeeded' AND s.committed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM control.step n
        WHERE n.pipeline = s.pipeline AND n.table_name = s.table_name AND n.status = 'succeeded'
          AND n.committed_at > s.committed_at))
  ORDER BY r.finished_at
  LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED),
due AS MATERIALIZED (
  SELECT o.id
  FROM (SELECT id, sum(greatest(steps_total, 1)) OVER earlier AS steps, row_number() OVER earlier AS place
        FROM old WINDOW earlier AS (ORDER BY finished_at, id)) o
  WHERE o.steps <= $3::bigint OR o.place = 1),
keys AS (
  DELETE FROM control.idempotency WHERE run_id IN (SELECT id FROM due)),
lines AS (
  DELETE FROM control.log WHERE run_id IN (SELECT id FROM due)),
counters AS (
  DELETE FROM control.log_counter WHERE run_id IN (SELECT id FROM due)),
told AS (
  INSERT INTO control.outbox (run_id, kind) SELECT id, 'run' FROM due),
gone AS (
  DELETE FROM control.run WHERE id IN (SELECT id FROM due) RETURNING 1)
SELECT count(*) FROM gone
