-- $1 run id, $2 id of the last line seen, $3 least level, of those worth a look (2 or 3), $4 step id or null, $5 limit
-- Lines of a level that is rare among many: the first of each level by log_not_quiet, merged.
SELECT l.id, l.at, l.level, l.step_id, l.message, l.fields
FROM generate_series($3::smallint, 3) AS wanted (level)
CROSS JOIN LATERAL (
  SELECT l.*
  FROM control.log l
  WHERE l.run_id = $1::uuid AND l.level >= 2 AND l.level = wanted.level AND l.id > $2::bigint
    AND ($4::uuid IS NULL OR l.step_id = $4)
  ORDER BY l.id
  LIMIT $5::bigint) l
ORDER BY l.id
LIMIT $5::bigint
