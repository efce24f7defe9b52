-- $1 pipelines text[], $2 statuses text[], $3 types text[], $4 requested by, $5 since, $6 created_at and $7 id of what the page ends
-- before, $8 limit, $9 how many runs a stream reads; null does not filter, but see below; $5 to $9 are not null
-- $10 facet, $11 another or null
-- Runs, newest first, with the facet $10 (not null): by run_of_facet. The other one is asked for run by run (EXISTS may be hashed).
SELECT r.id, r.pipeline, r.type, r.mode, r.status, r.attempt, r.range_from, r.range_to, r.slice, r.tables, r.params,
  r.labels, r.allow, r.note, r.requested_by, r.trigger_kind, r.trigger_ref, r.spec_version, r.priority, r.descending,
  r.max_parallel, r.wave, r.created_at, r.started_at, r.finished_at, r.deadline_at, r.changed_at, r.steps_total,
  r.steps_done, r.rows_read, r.rows_written, r.rows_rejected, r.bytes_read, r.checks_passed, r.checks_warned,
  r.checks_failed, r.checks_errored, r.error, r.version, r.matched, r.last, r.over
FROM (
  SELECT r.*, f.facet, f.created_at AS place, f.run_id, f.created_at < $5::timestamptz AS over,
    row_number() OVER (ORDER BY f.facet DESC, f.created_at DESC, f.run_id DESC) = $9::bigint AS last,
    ($1::text[] IS NULL OR r.pipeline = ANY ($1)) AND ($2::text[] IS NULL OR r.status = ANY ($2))
      AND ($3::text[] IS NULL OR r.type = ANY ($3)) AND ($4::text IS NULL OR r.requested_by = $4)
      AND ($11::text IS NULL OR (
        SELECT f.facet FROM control.run_facet f WHERE f.run_id = r.id AND f.facet = $11) IS NOT NULL) AS matched
  FROM (
      SELECT f.facet, f.created_at, f.run_id
      FROM control.run_facet f
      WHERE (f.facet, f.created_at, f.run_id) < ($10::text, $6::timestamptz, $7::uuid) AND f.facet >= $10::text
      ORDER BY f.facet DESC, f.created_at DESC, f.run_id DESC
      LIMIT $9::bigint) f
  CROSS JOIN LATERAL (SELECT * FROM control.run r WHERE r.id = f.run_id OFFSET 0) r) r
WHERE r.matched OR r.last OR r.over
ORDER BY r.facet DESC, r.place DESC, r.run_id DESC
LIMIT $8::bigint
