-- $1 boot id
-- Steps a replica runs; wanted is false once an end was asked for, unless the attempt is that end.
SELECT s.id, s.run_id, s.load_number, (s.end_as IS NULL OR s.revoking) AS wanted
FROM control.attempt a
JOIN control.step s ON s.id = a.step_id AND s.attempt_count = a.n
WHERE a.status = 'running' AND a.boot_id = $1 AND s.status = 'running'
