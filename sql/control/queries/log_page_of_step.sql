-- $1 run id, $2 id of the last line seen, $3 least level, $4 step id (not null), $5 limit
-- Lines of one step, by log_of_step: the run is asked for in a way that its own index cannot answer.
SELECT id, at, level, step_id, message, fields
FROM control.log
WHERE step_id = $4::uuid AND id > $2::bigint AND (run_id = $1::uuid) IS TRUE AND level >= $3::smallint
ORDER BY id
LIMIT $5::bigint
