-- $1 run id, $2 id of the last line seen, $3 least level, $4 step id or null, $5 limit
-- Lines of a run in their order.
SELECT id, at, level, step_id, message, fields
FROM control.log
WHERE run_id = $1::uuid AND id > $2::bigint AND level >= $3::smallint AND ($4::uuid IS NULL OR step_id = $4)
ORDER BY id
LIMIT $5::bigint
