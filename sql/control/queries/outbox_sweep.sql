-- (no parameters)
-- Removes what every reader has seen long ago.
DELETE FROM control.outbox WHERE at < now() - interval '1 day'
