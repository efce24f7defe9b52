-- $1 run id, $2 cancelled or failed, $3 reason, $4 error or null
-- Ends a run's unfinished steps: those that nobody touched at once, the others by a revocation.
WITH ended AS (
  UPDATE control.step SET status = $2, reason = $3::json, error = $4::json, waiting_for = NULL,
    finished_at = clock_timestamp()
  WHERE run_id = $1::uuid AND status IN ('waiting', 'queued') AND NOT touched AND end_as IS NULL
  RETURNING 1),
to_revoke AS (
  UPDATE control.step SET end_as = $2, reason = $3::json, error = coalesce($4::json, error), retry_at = now(),
    ready_at = now()
  WHERE run_id = $1::uuid AND status IN ('queued', 'running') AND touched AND end_as IS NULL
  RETURNING 1)
SELECT (SELECT count(*) FROM ended) AS ended, (SELECT count(*) FROM to_revoke) AS to_revoke,
  (SELECT count(*) FROM control.step WHERE run_id = $1::uuid AND status IN ('queued', 'running') AND end_as IS NOT NULL)
    AS revoking_before
