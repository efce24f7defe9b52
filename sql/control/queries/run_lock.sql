-- $1 run id
-- One run, locked: the first statement of every change. NO KEY, so that rows that refer to the run can be written meanwhile.
SELECT r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version
FROM control.run r
WHERE r.id = $1::uuid
FOR NO KEY UPDATE
