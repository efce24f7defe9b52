-- $1 pipeline, $2 control_id, $3 epoch. Waits for a PUBLISH that holds the row, and ends the say of every other owner.
INSERT INTO loadstar.control (pipeline, control_id, epoch)
VALUES ($1, $2, $3)
ON CONFLICT (pipeline) DO UPDATE SET control_id = excluded.control_id, epoch = excluded.epoch
