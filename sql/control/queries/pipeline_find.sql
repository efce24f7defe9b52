-- $1 pipeline, $2 hash or null for the active version
SELECT v.hash, v.files
FROM control.pipeline p
JOIN control.pipeline_version v ON v.pipeline = p.name AND v.hash = coalesce($2, p.active_hash)
WHERE p.name = $1
