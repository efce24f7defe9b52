-- $1 subject, $2 key, $3 run id
-- The key stands for a run that was there already.
UPDATE control.idempotency SET run_id = $3::uuid WHERE subject = $1 AND key = $2
