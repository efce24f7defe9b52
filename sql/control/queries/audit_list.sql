-- $1 subject, $2 action, $3 pipelines text[], $4 since, $5 id of the last entry seen, $6 limit; null does not filter
-- The audit log, newest first.
SELECT a.id, a.at, a.subject, a.client, a.trace_id, a.action, a.pipeline, a.target, a.detail
FROM control.audit a
WHERE ($1::text IS NULL OR a.subject = $1)
    AND ($2::text IS NULL OR a.action = $2)
    AND ($3::text[] IS NULL OR a.pipeline = ANY ($3))
    AND ($4::timestamptz IS NULL OR a.at >= $4)
    AND ($5::bigint IS NULL OR a.id < $5)
ORDER BY a.id DESC
LIMIT $6::bigint
