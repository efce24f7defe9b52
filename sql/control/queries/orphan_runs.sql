-- (no parameters)
-- Runs with running steps of replicas that are no more.
SELECT DISTINCT s.run_id
FROM control.attempt a
JOIN control.step s ON s.id = a.step_id
WHERE a.status = 'running' AND NOT EXISTS (SELECT FROM control.replica p WHERE p.boot_id = a.boot_id)
ORDER BY s.run_id
