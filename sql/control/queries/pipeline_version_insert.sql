-- $1 pipeline, $2 hash, $3 files, $4 notify, $5 who
INSERT INTO control.pipeline_version (pipeline, hash, files, notify, created_by) VALUES ($1, $2, $3::jsonb, $4::jsonb, $5)
ON CONFLICT DO NOTHING
