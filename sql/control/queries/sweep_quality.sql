-- $1 age in milliseconds, $2 how many at most
-- Results of checks that are so old and whose run has ended.
WITH gone AS (
  DELETE FROM control.quality
  WHERE id = ANY (ARRAY (
    SELECT q.id
    FROM control.pipeline p
    CROSS JOIN LATERAL (
      SELECT q.id
      FROM control.quality q
      JOIN control.run r ON r.id = q.run_id
      WHERE q.pipeline = p.name AND q.at < now() - $1::bigint * interval '1 millisecond' AND r.finished_at IS NOT NULL
      ORDER BY q.at
      LIMIT $2::bigint) q
    LIMIT $2::bigint))
  RETURNING 1)
SELECT count(*) FROM gone
