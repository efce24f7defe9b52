-- $1 pipeline, $2 type, $3 tables jsonb or null, $4 from, $5 to, $6 mode, $7 slice or null, $8 params json, $9 spec version
-- The oldest unfinished run that means the same: what it will load, not who asked or in which order.
SELECT r.id
FROM control.run r
WHERE r.status IN ('queued', 'running', 'paused')
  AND r.pipeline = $1 AND r.type = $2 AND r.mode = $6 AND r.spec_version = $9
  AND r.tables IS NOT DISTINCT FROM $3::jsonb AND r.params = coalesce($8::jsonb, '{}')
  AND r.slice IS NOT DISTINCT FROM $7::text
  AND r.range_from IS NOT DISTINCT FROM $4::timestamptz AND r.range_to IS NOT DISTINCT FROM $5::timestamptz
ORDER BY r.created_at, r.id
LIMIT 1
