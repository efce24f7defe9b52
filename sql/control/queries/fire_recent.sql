-- $1 pipeline
-- The last fire, and the last ten that were skipped, newest first.
(SELECT true AS last, scheduled_at, reason, detail, run_id, fires, decided_at
 FROM control.fire WHERE pipeline = $1 ORDER BY scheduled_at DESC LIMIT 1)
UNION ALL
(SELECT false, scheduled_at, reason, detail, run_id, fires, decided_at
 FROM control.fire WHERE pipeline = $1 AND outcome = 'skipped' ORDER BY scheduled_at DESC LIMIT 10)
