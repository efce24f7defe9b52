-- $1 step ids uuid[] in order of preference
-- Locks the runs of the candidates, in order of id, then takes the claim lock of each table; what somebody else is changing
-- right now is left out.
WITH runs AS MATERIALIZED (
  SELECT r.id
  FROM control.run r
  WHERE r.id IN (SELECT s.run_id FROM control.step s WHERE s.id = ANY ($1::uuid[]))
  ORDER BY r.id
  FOR NO KEY UPDATE SKIP LOCKED)
SELECT s.id
FROM unnest($1::uuid[]) WITH ORDINALITY AS c (id, place)
JOIN control.step s ON s.id = c.id
JOIN runs ON runs.id = s.run_id
WHERE s.end_as IS NOT NULL OR s.warehouse_table IS NULL
  OR pg_try_advisory_xact_lock(hashtextextended('loadstar:claim:' || s.warehouse_table, 0))
ORDER BY c.place
