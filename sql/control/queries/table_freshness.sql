-- (no parameters)
-- Seconds since the last load of each table was committed. Walks step_committed from table to table.
WITH RECURSIVE known AS (
  (SELECT s.pipeline, s.table_name
   FROM control.step s
   WHERE s.status = 'succeeded' AND s.committed_at IS NOT NULL
   ORDER BY s.pipeline, s.table_name
   LIMIT 1)
  UNION ALL
  SELECT n.pipeline, n.table_name
  FROM known k
  CROSS JOIN LATERAL (
    SELECT s.pipeline, s.table_name
    FROM control.step s
    WHERE s.status = 'succeeded' AND s.committed_at IS NOT NULL
      AND (s.pipeline, s.table_name) > (k.pipeline, k.table_name)
    ORDER BY s.pipeline, s.table_name
    LIMIT 1) n)
SELECT k.pipeline, k.table_name,
  (SELECT extract(epoch FROM now() - s.committed_at)
   FROM control.step s
   WHERE s.pipeline = k.pipeline AND s.table_name = k.table_name AND s.status = 'succeeded' AND s.committed_at IS NOT NULL
   ORDER BY s.committed_at DESC
   LIMIT 1) AS seconds
FROM known k
