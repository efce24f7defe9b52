-- $1 boot id, $2 lease in ms
-- No row: declared dead.
UPDATE control.replica SET lease_until = now() + $2::bigint * interval '1 millisecond' WHERE boot_id = $1 RETURNING boot_id
