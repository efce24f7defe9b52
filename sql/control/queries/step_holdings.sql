-- $1 boot id
-- Steps a replica runs; wanted is false once an end was asked for, unless the attempt is that end.
SELECT id, load_number, (end_as IS NULL OR revoking) AS wanted
FROM control.step
WHERE status = 'running' AND boot_id = $1
