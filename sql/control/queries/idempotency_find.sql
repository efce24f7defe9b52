-- $1 subject, $2 key
SELECT fingerprint, run_id
FROM control.idempotency
WHERE subject = $1 AND key = $2
