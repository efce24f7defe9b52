-- $1 pipeline, $2 hash
-- The active version, if there is one, and whether the other is stored.
SELECT (SELECT active_hash FROM control.pipeline WHERE name = $1),
  EXISTS (SELECT FROM control.pipeline_version WHERE pipeline = $1 AND hash = $2)
