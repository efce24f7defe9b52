-- $1 pipeline, $2 hash, $3 files
INSERT INTO control.pipeline_version (pipeline, hash, files) VALUES ($1, $2, $3::jsonb) ON CONFLICT DO NOTHING
