-- $1 run id
-- A retry: failed, cancelled and upstream-skipped steps go on with their identity; the lowest wave of them at once.
-- Checks that were asked after them are asked again. The tables are made first, as the run's version
-- declares them: it may be another one, or somebody may have dropped one.
WITH left_over AS MATERIALIZED (
  SELECT id, wave
  FROM control.step
  WHERE run_id = $1::uuid
    AND (status IN ('failed', 'cancelled') OR (status = 'skipped' AND reason->>'code' = 'upstream_failed'))),
unfinished AS MATERIALIZED (
  SELECT id, wave FROM left_over
  UNION ALL
  SELECT id, wave
  FROM control.step
  WHERE run_id = $1::uuid AND kind = 'ddl' AND status = 'succeeded' AND EXISTS (SELECT FROM left_over)
  UNION ALL
  SELECT id, wave
  FROM control.step
  WHERE run_id = $1::uuid AND kind = 'check' AND status = 'succeeded' AND wave > (SELECT min(wave) FROM left_over)),
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
