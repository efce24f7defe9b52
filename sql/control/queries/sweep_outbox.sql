-- $1 how many at most
-- Removes what every reader has seen long ago, from the lowest id on.
WITH gone AS (
  DELETE FROM control.outbox
  WHERE id = ANY (ARRAY (
    SELECT o.id
    FROM (SELECT id, at FROM control.outbox ORDER BY id LIMIT $1::bigint) o
    WHERE o.at < now() - interval '1 day'))
  RETURNING 1)
SELECT count(*) FROM gone
