-- $1 pipelines text[], $2 statuses text[], $3 types text[], $4 table, $5 label key, $6 label value, $7 requested by,
-- $8 since, $9 until, $10 created_at and $11 id of the last run seen, $12 limit; null does not filter (but see below)
-- Runs, newest first, of the pipelines $1 (not null): the newest of each by run_newest_of_pipeline, merged.
SELECT r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version
FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL (
  SELECT r.*
  FROM control.run r
  WHERE r.pipeline = wanted.name
    AND ($2::text[] IS NULL OR r.status = ANY ($2))
    AND ($3::text[] IS NULL OR r.type = ANY ($3))
    AND ($4::text IS NULL OR r.tables ? $4 OR EXISTS (
      SELECT FROM control.step s WHERE s.run_id = r.id AND s.table_name = $4))
    AND ($5::text IS NULL OR r.labels @> jsonb_build_object($5::text, $6::text))
    AND ($7::text IS NULL OR r.requested_by = $7)
    AND ($8::timestamptz IS NULL OR r.created_at >= $8)
    AND ($9::timestamptz IS NULL OR r.created_at < $9)
    AND ($10::timestamptz IS NULL OR (r.created_at, r.id) < ($10, $11::uuid))
  ORDER BY r.created_at DESC, r.id DESC
  LIMIT $12::bigint) r
ORDER BY r.created_at DESC, r.id DESC
LIMIT $12::bigint
