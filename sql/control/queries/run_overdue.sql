-- (no parameters)
-- Unfinished runs past their deadline.
SELECT id
FROM control.run
WHERE status IN ('queued', 'running', 'paused') AND deadline_at < now()
ORDER BY id
