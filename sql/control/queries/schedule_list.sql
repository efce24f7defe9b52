-- (no parameters)
-- Every pipeline with its pause and its schedule, by name.
SELECT p.name, p.active_hash, p.paused_at, p.paused_by, s.rule, s.decided_until
FROM control.pipeline p
LEFT JOIN control.schedule s ON s.pipeline = p.name
ORDER BY p.name
