-- $1 ids that were passed over
-- Those of them that have appeared since.
SELECT id, run_id, kind FROM control.outbox WHERE id = ANY ($1::bigint[]) ORDER BY id
