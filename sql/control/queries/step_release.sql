-- $1 step id, $2 boot id, $3 load number, $4 status of the attempt, $5 error, $6 wait in ms, $7 true: costs no try,
-- $8 end_as to set or null, $9 reason to set or null, $10 rows of the attempt or null
-- The holder gives its step back to the queue. An end that was asked for meanwhile is not waited with.
WITH released AS (
  UPDATE control.step s SET status = 'queued', revoking = false, waiting_for = NULL,
    tries = s.tries - (CASE WHEN $7::boolean AND NOT s.revoking THEN 1 ELSE 0 END),
    end_as = coalesce(s.end_as, $8),
    reason = coalesce(s.reason, $9::json),
    error = coalesce($5::json, s.error),
    retry_at = CASE WHEN s.end_as IS NOT NULL AND NOT s.revoking THEN now()
      ELSE now() + $6::bigint * interval '1 millisecond' END,
    ready_at = CASE WHEN s.end_as IS NOT NULL AND NOT s.revoking THEN now()
      ELSE now() + $6::bigint * interval '1 millisecond' END
  WHERE s.id = $1::uuid AND s.boot_id = $2 AND s.load_number = $3::bigint AND s.status = 'running'
  RETURNING s.id, s.attempt_count, s.retry_at, s.end_as),
attempted AS (
  UPDATE control.attempt a SET status = $4, finished_at = clock_timestamp(), error = $5::json, rows = $10::json
  FROM released r
  WHERE a.step_id = r.id AND a.n = r.attempt_count)
SELECT retry_at, end_as FROM released
