-- $1 subject, $2 action, $3 pipelines text[], $4 since, $5 id that the page ends before, $6 limit, $7 how many entries are read
-- (of each pipeline); null does not filter, but see below; $5 to $7 are not null
-- Entries of action $2 (not null), newest first: by audit_of_action.
SELECT a.id, a.at, a.subject, a.client, a.trace_id, a.action, a.pipeline, a.target, a.detail, a.matched, a.last, a.over
FROM (
  SELECT a.*, a.id < s.first AS over, row_number() OVER (ORDER BY a.action DESC, a.id DESC) = $7::bigint AS last,
    ($1::text IS NULL OR a.subject = $1) AND ($2::text IS NULL OR a.action = $2)
      AND ($3::text[] IS NULL OR a.pipeline IS NOT NULL AND a.pipeline = ANY ($3))
      AND ($4::timestamptz IS NULL OR a.at >= $4) AS matched
  FROM (
    SELECT a.*
    FROM control.audit a
    WHERE (a.action, a.id) < ($2::text, $5::bigint) AND a.action >= $2::text
    ORDER BY a.action DESC, a.id DESC
    LIMIT $7::bigint) a
  CROSS JOIN (SELECT control.audit_since($4::timestamptz) AS first OFFSET 0) s) a
WHERE a.matched OR a.last OR a.over
ORDER BY a.action DESC, a.id DESC
LIMIT $6::bigint
