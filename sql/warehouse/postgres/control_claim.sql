-- $1 pipeline, $2 control_id, $3 epoch. The first control database that comes owns the pipeline's tables.
INSERT INTO loadstar.control (pipeline, control_id, epoch)
VALUES ($1, $2, $3)
ON CONFLICT (pipeline) DO NOTHING
