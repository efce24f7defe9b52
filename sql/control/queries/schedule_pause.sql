-- $1 pipeline, $2 true: pause, $3 who
UPDATE control.pipeline SET paused_at = CASE WHEN $2::boolean THEN coalesce(paused_at, clock_timestamp()) END,
  paused_by = CASE WHEN $2::boolean THEN CASE WHEN paused_at IS NULL THEN $3 ELSE paused_by END END
WHERE name = $1
RETURNING name
