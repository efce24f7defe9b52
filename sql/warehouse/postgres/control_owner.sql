-- $1 pipeline
SELECT control_id, epoch FROM loadstar.control WHERE pipeline = $1
