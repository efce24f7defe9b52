-- (no parameters)
-- Per pipeline: steps that wait for a worker, and since when the oldest could run.
SELECT s.pipeline, count(*) AS queued,
  coalesce(extract(epoch FROM now() - min(s.ready_at) FILTER (WHERE s.ready_at <= now())), 0)::bigint AS oldest_seconds
FROM control.step s
WHERE s.status = 'queued'
GROUP BY s.pipeline
ORDER BY s.pipeline
