-- $1 id after which, $2 limit
-- New rows of the outbox.
SELECT id, run_id, kind FROM control.outbox WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint
