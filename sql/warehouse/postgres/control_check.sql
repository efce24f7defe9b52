-- $1 pipeline, $2 control_id, $3 epoch. Must give a row; nobody adopts the pipeline before my COMMIT.
SELECT 1 FROM loadstar.control WHERE pipeline = $1 AND control_id = $2 AND epoch = $3 FOR SHARE
