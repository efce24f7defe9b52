-- $1 subject, $2 key, $3 fingerprint, $4 run id
-- Takes a key; no row: it is taken (a rival's transaction is waited for).
INSERT INTO control.idempotency (subject, key, fingerprint, run_id)
VALUES ($1, $2, $3, $4::uuid)
ON CONFLICT DO NOTHING
RETURNING run_id
