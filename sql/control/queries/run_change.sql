-- $1 run id, $2 status, $3 attempt, $4 wave, $5 spec version, $6 deadline, $7 steps_total, $8 steps_done, $9 rows_read,
-- $10 rows_written, $11 rows_rejected, $12 bytes_read, $13 error, $14 step id or null, $15 outbox kind,
-- $16 true when work became claimable, $17 checks passed, $18 warned, $19 failed, $20 errored
-- The last statement of every change: the locked run as it is now, its version, the outbox and the notifications.
WITH changed AS (
  UPDATE control.run AS r SET status = $2, attempt = $3::integer, wave = $4::integer, spec_version = $5,
    deadline_at = $6::timestamptz, steps_total = $7::bigint, steps_done = $8::bigint, rows_read = $9::bigint,
    rows_written = $10::bigint, rows_rejected = $11::bigint, bytes_read = $12::bigint, error = $13::json,
    checks_passed = $17::bigint, checks_warned = $18::bigint, checks_failed = $19::bigint, checks_errored = $20::bigint,
    started_at = CASE WHEN $2 = 'running' THEN coalesce(r.started_at, clock_timestamp()) ELSE r.started_at END,
    finished_at = CASE WHEN $2 IN ('succeeded', 'partial', 'failed', 'cancelled')
      THEN coalesce(r.finished_at, clock_timestamp()) END,
    changed_at = clock_timestamp(), version = r.version + 1, logs_kept = true
  WHERE r.id = $1::uuid
  RETURNING r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version),
noted AS (
  INSERT INTO control.outbox (run_id, step_id, kind, payload)
  SELECT changed.id, $14::uuid, $15, json_build_object('version', changed.version, 'status', changed.status)
  FROM changed)
SELECT changed.*, pg_notify('loadstar_outbox', ''), CASE WHEN $16::boolean THEN pg_notify('loadstar_work', '') END
FROM changed
