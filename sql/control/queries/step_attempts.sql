-- $1 step ids uuid[]
SELECT step_id, n, status, worker, started_at, finished_at, error, rows
FROM control.attempt
WHERE step_id = ANY ($1::uuid[])
ORDER BY step_id, n
