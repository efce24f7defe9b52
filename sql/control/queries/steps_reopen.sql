-- $1 run id
-- A retry: failed, cancelled and upstream-skipped steps go on with their identity; the lowest wave of them at once.
WITH unfinished AS MATERIALIZED (
  SELECT id, wave
  FROM control.step
  WHERE run_id = $1::uuid
    AND (status IN ('failed', 'cancelled') OR (status = 'skipped' AND reason->>'code' = 'upstream_failed'))),
lowest AS MATERIALIZED (
  SELECT min(wave) AS wave FROM unfinished),
opened AS (
  UPDATE control.step s SET status = CASE WHEN s.wave = lowest.wave THEN 'queued' ELSE 'waiting' END,
    ready_at = CASE WHEN s.wave = lowest.wave THEN now() END, retry_at = now(), end_as = NULL, revoking = false,
    touched = false, reason = NULL, error = NULL, waiting_for = NULL, losses = 0, tries = 0, started_at = NULL,
    finished_at = NULL
  FROM unfinished, lowest
  WHERE s.id = unfinished.id
  RETURNING 1)
SELECT coalesce(lowest.wave, -1) AS wave, (SELECT count(*) FROM opened) AS opened
FROM lowest
