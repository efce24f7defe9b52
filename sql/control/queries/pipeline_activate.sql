-- $1 pipeline, $2 hash, $3 who
WITH activated AS (
  INSERT INTO control.pipeline (name, active_hash, activated_by) VALUES ($1, $2, $3)
  ON CONFLICT (name) DO UPDATE SET active_hash = excluded.active_hash, activated_by = excluded.activated_by, applied_at = now()
  RETURNING name, active_hash, activated_by)
INSERT INTO control.pipeline_activation (pipeline, hash, activated_by) SELECT * FROM activated
