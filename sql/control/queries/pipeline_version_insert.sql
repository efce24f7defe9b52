-- $1 pipeline, $2 hash, $3 files, $4 notify
INSERT INTO control.pipeline_version (pipeline, hash, files, notify) VALUES ($1, $2, $3::jsonb, $4::jsonb) ON CONFLICT DO NOTHING
