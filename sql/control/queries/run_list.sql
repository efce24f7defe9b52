-- $1 pipelines text[], $2 statuses text[], $3 types text[], $4 requested by, $5 since, $6 created_at and $7 id of what the page ends
-- before, $8 limit, $9 how many runs a stream reads; null does not filter, but see below; $5 to $9 are not null
-- Runs, newest first, for filters that have no statement of their own: reads run_newest.
SELECT r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version, r.matched, r.last, r.over
FROM (
  SELECT r.*, r.created_at < $5::timestamptz AS over,
    row_number() OVER (ORDER BY r.created_at DESC, r.id DESC) = $9::bigint AS last,
    ($1::text[] IS NULL OR r.pipeline = ANY ($1)) AND ($2::text[] IS NULL OR r.status = ANY ($2))
      AND ($3::text[] IS NULL OR r.type = ANY ($3)) AND ($4::text IS NULL OR r.requested_by = $4) AS matched
  FROM (
      SELECT r.*
      FROM control.run r
      WHERE (r.created_at, r.id) < ($6::timestamptz, $7::uuid)
      ORDER BY r.created_at DESC, r.id DESC
      LIMIT $9::bigint) r) r
WHERE r.matched OR r.last OR r.over
ORDER BY r.created_at DESC, r.id DESC
LIMIT $8::bigint
