-- $1 age in milliseconds, $2 how many lines at most
-- Lines of runs that ended so long ago, the oldest runs first. A run whose last line goes is marked; one that goes on is left out.
WITH due AS MATERIALIZED (
  SELECT r.id
  FROM control.run r
  WHERE r.finished_at < now() - $1::bigint * interval '1 millisecond' AND r.logs_kept
  ORDER BY r.finished_at
  LIMIT 1000
  FOR NO KEY UPDATE SKIP LOCKED),
gone AS (
  DELETE FROM control.log
  WHERE ctid = ANY (ARRAY (
    SELECT l.place
    FROM due
    CROSS JOIN LATERAL (SELECT l.ctid AS place FROM control.log l WHERE l.run_id = due.id LIMIT $2::bigint) l
    LIMIT $2::bigint))
  RETURNING 1),
counted AS (
  SELECT count(*) AS lines FROM gone),
done AS (
  UPDATE control.run r SET logs_kept = false
  FROM due, counted
  WHERE r.id = due.id AND counted.lines < $2::bigint
  RETURNING 1)
SELECT counted.lines, (SELECT count(*) FROM done) AS runs FROM counted
