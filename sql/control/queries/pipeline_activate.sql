-- $1 pipeline, $2 hash
-- No row: that version is active already.
INSERT INTO control.pipeline AS p (name, active_hash) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET active_hash = excluded.active_hash, applied_at = now()
  WHERE p.active_hash <> excluded.active_hash
RETURNING name
