-- $1 run id, $2 reason
-- A failed step ends the run: what nobody touched is skipped.
UPDATE control.step SET status = 'skipped', reason = $2::json, waiting_for = NULL, finished_at = clock_timestamp()
WHERE run_id = $1::uuid AND status IN ('waiting', 'queued') AND NOT touched AND end_as IS NULL
RETURNING id
