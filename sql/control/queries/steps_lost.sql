-- $1 run id
-- Running steps of dead replicas go back to the queue. A lost revocation counts no loss: it goes on until it is done.
WITH lost AS (
  UPDATE control.step s SET status = 'queued', retry_at = now(), ready_at = now(), waiting_for = NULL,
    losses = s.losses + (CASE WHEN s.revoking THEN 0 ELSE 1 END),
    tries = s.tries - (CASE WHEN s.revoking THEN 0 ELSE 1 END), revoking = false
  WHERE s.run_id = $1::uuid AND s.status = 'running'
    AND NOT EXISTS (SELECT FROM control.replica p WHERE p.boot_id = s.boot_id)
  RETURNING s.id, s.attempt_count, s.losses, s.end_as, s.boot_id, s.table_name, s.scope, s.slice, s.slice_from, s.slice_to, s.files),
attempted AS (
  UPDATE control.attempt a SET status = 'lost', finished_at = clock_timestamp()
  FROM lost
  WHERE a.step_id = lost.id AND a.n = lost.attempt_count)
SELECT * FROM lost ORDER BY id
