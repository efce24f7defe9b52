-- (no parameters)
SELECT name, active_hash, applied_at FROM control.pipeline ORDER BY name
