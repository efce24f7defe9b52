-- $1 pipeline, $2 true: pause, $3 who
-- Its name, and whether anything changed.
WITH before AS MATERIALIZED (
  SELECT name, paused_at IS NOT NULL AS paused FROM control.pipeline WHERE name = $1 FOR UPDATE)
UPDATE control.pipeline p SET paused_at = CASE WHEN $2::boolean THEN coalesce(p.paused_at, clock_timestamp()) END,
  paused_by = CASE WHEN $2::boolean THEN CASE WHEN p.paused_at IS NULL THEN $3 ELSE p.paused_by END END
FROM before
WHERE p.name = before.name
RETURNING p.name, before.paused <> $2::boolean
