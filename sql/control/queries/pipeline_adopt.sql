-- $1 pipeline, $2 epoch of its load ids from now on; it only rises
UPDATE control.pipeline SET epoch = $2::bigint WHERE name = $1 AND coalesce(epoch, 0) < $2::bigint RETURNING epoch
