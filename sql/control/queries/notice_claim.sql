-- $1 ms until somebody else may try it
-- The notice that is due longest, leased to the caller.
WITH due AS (
  SELECT id FROM control.notice WHERE state = 'pending' AND next_at <= clock_timestamp()
  ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE control.notice n
SET next_at = clock_timestamp() + $1::bigint * interval '1 ms', tries = n.tries + 1
FROM due WHERE n.id = due.id
RETURNING n.id, n.run_id, n.pipeline, n.event, n.target, n.body, n.tries, n.created_at,
  clock_timestamp() - n.created_at > interval '1 day' AS stale
