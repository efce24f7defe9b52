-- (no parameters)
-- Runs with running steps of replicas that are no more.
SELECT DISTINCT s.run_id
FROM control.step s
WHERE s.status = 'running' AND NOT EXISTS (SELECT FROM control.replica p WHERE p.boot_id = s.boot_id)
ORDER BY s.run_id
