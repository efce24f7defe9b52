-- $1 step id, $2 boot id, $3 load number, $4 status, $5 status of the attempt, $6 rows, $7 effects, $8 error, $9 bytes read,
-- $10 committed at, $11 reason
-- The holder ends its step. No row: it is not the holder any more. A null error or reason keeps what is there for a
-- step that ends badly; success clears both, and a step that is skipped has its own reason.
WITH finished AS (
  UPDATE control.step s SET status = $4, revoking = false, touched = false, end_as = NULL, waiting_for = NULL,
    retry_at = NULL, rows = $6::json, effects = $7::json, bytes_read = $9::bigint, committed_at = $10::timestamptz,
    error = CASE WHEN $4 NOT IN ('succeeded', 'skipped') THEN coalesce($8::json, s.error) END,
    reason = CASE $4 WHEN 'succeeded' THEN NULL WHEN 'skipped' THEN $11::json ELSE coalesce(s.reason, $11::json) END,
    finished_at = clock_timestamp()
  WHERE s.id = $1::uuid AND s.boot_id = $2 AND s.load_number = $3::bigint AND s.status = 'running'
  RETURNING s.id, s.attempt_count, s.fail_run, s.error, s.reason),
attempted AS (
  UPDATE control.attempt a SET status = $5, finished_at = clock_timestamp(), error = $8::json, rows = $6::json
  FROM finished f
  WHERE a.step_id = f.id AND a.n = f.attempt_count)
SELECT fail_run, error, reason->>'code' AS reason FROM finished
