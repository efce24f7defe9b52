-- $1 subject, $2 key
-- The key, kept from a sweep of its run until the transaction ends.
SELECT fingerprint, run_id
FROM control.idempotency
WHERE subject = $1 AND key = $2
FOR KEY SHARE
