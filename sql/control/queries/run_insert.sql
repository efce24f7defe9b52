-- $1 run id, $2 plan step's id, $3 pipeline, $4 type, $5 mode, $6 from, $7 to, $8 slice, $9 tables, $10 params, $11 labels,
-- $12 allow, $13 note, $14 requested by, $15 trigger kind, $16 trigger ref, $17 spec version, $18 priority,
-- $19 descending, $20 max_parallel, $21 deadline
-- A run with its plan step and what lists find it by.
WITH made AS (
  INSERT INTO control.run AS r (id, pipeline, type, mode, range_from, range_to, slice, tables, params, labels, allow,
    note, requested_by, trigger_kind, trigger_ref, spec_version, priority, descending, max_parallel, deadline_at)
  VALUES ($1::uuid, $3, $4, $5, $6::timestamptz, $7::timestamptz, $8, $9::jsonb, coalesce($10::jsonb, '{}'),
    coalesce($11::jsonb, '{}'), coalesce($12::jsonb, '[]'), $13, $14, $15, $16, $17, $18::bigint,
    $19::boolean, $20::bigint, $21::timestamptz)
  RETURNING r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version),
faceted AS (
  INSERT INTO control.run_facet (run_id, facet, created_at)
  SELECT made.id, facet, made.created_at
  FROM made
  CROSS JOIN LATERAL control.run_facets(made.labels, made.tables) facet),
planned AS (
  INSERT INTO control.step (id, run_id, pipeline, kind, wave, status, ready_at, retry_at)
  SELECT $2::uuid, made.id, made.pipeline, 'plan', 0, 'queued', now(), now() FROM made)
SELECT * FROM made
