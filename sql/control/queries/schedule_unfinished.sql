-- $1 pipeline, $2 only those of fires before this time, as run.trigger_ref has it; null: all
-- Unfinished runs that the schedule caused, oldest first.
SELECT r.id
FROM control.run r
WHERE r.status IN ('queued', 'running', 'paused', 'cancelling') AND r.pipeline = $1 AND r.trigger_kind = 'schedule'
  AND ($2::text IS NULL OR r.trigger_ref COLLATE "C" < $2)
ORDER BY r.created_at, r.id
