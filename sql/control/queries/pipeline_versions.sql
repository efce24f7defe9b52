-- $1 pipeline, $2 id or null: those before it, $3 limit
-- Newest first.
SELECT v.id, v.hash, v.created_at, v.created_by, v.hash = p.active_hash AS active, a.at, a.activated_by
FROM control.pipeline p
JOIN control.pipeline_version v ON v.pipeline = p.name
LEFT JOIN LATERAL (
  SELECT at, activated_by FROM control.pipeline_activation
  WHERE pipeline = v.pipeline AND hash = v.hash ORDER BY id DESC LIMIT 1) a ON true
WHERE p.name = $1 AND ($2::bigint IS NULL OR v.id < $2::bigint)
ORDER BY v.id DESC
LIMIT $3::bigint
