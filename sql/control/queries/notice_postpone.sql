-- $1 target, $2 ms
-- A target that does not answer holds up nobody else's notices: its own wait.
WITH waiting AS (
  SELECT id FROM control.notice WHERE state = 'pending' AND target = $1 AND next_at <= clock_timestamp()
  ORDER BY id FOR UPDATE SKIP LOCKED)
UPDATE control.notice n SET next_at = clock_timestamp() + $2::bigint * interval '1 ms'
FROM waiting WHERE n.id = waiting.id
