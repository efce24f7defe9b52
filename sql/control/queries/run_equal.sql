-- $1 pipeline, $2 type, $3 tables jsonb or null, $4 from, $5 to
-- The oldest unfinished run that asks for the same.
SELECT r.id
FROM control.run r
WHERE r.status IN ('queued', 'running', 'paused', 'cancelling') AND r.status <> 'cancelling'
  AND r.pipeline = $1 AND r.type = $2
  AND r.tables IS NOT DISTINCT FROM $3::jsonb
  AND r.range_from IS NOT DISTINCT FROM $4::timestamptz AND r.range_to IS NOT DISTINCT FROM $5::timestamptz
ORDER BY r.created_at, r.id
LIMIT 1
