-- (no parameters)
-- Replicas whose lease is over are declared dead; a heartbeat that comes later finds no row.
DELETE FROM control.replica WHERE lease_until < now() RETURNING boot_id
