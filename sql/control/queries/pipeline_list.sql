-- $1 pipeline or null for all
SELECT name, active_hash, applied_at, paused_at, paused_by FROM control.pipeline WHERE $1::text IS NULL OR name = $1 ORDER BY name
