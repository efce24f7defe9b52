-- $1 step id, $2 reason, $3 error
-- A queued step is to end as failed: a revocation follows.
UPDATE control.step SET end_as = 'failed', reason = $2::json, error = $3::json
WHERE id = $1::uuid AND status = 'queued' AND end_as IS NULL
