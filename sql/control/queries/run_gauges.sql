-- (no parameters)
-- Per pipeline: age of the oldest unfinished run, and when the newest run that succeeded ended; null: there is none.
SELECT p.name,
  (SELECT extract(epoch FROM now() - min(r.created_at))
   FROM control.run r
   WHERE r.pipeline = p.name AND r.status IN ('queued', 'running', 'paused', 'cancelling')) AS oldest_seconds,
  (SELECT extract(epoch FROM r.finished_at)
   FROM control.run r
   WHERE r.pipeline || ' ' || r.status = p.name || ' succeeded'
   ORDER BY r.created_at DESC, r.id DESC
   LIMIT 1) AS succeeded_at
FROM control.pipeline p
ORDER BY p.name
