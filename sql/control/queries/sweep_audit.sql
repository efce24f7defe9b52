-- $1 how many at most
-- Entries before the begin of the audit log.
WITH gone AS (
  DELETE FROM control.audit
  WHERE id = ANY (ARRAY (SELECT id FROM control.audit WHERE id <= control.audit_begin() ORDER BY id LIMIT $1::bigint))
  RETURNING 1)
SELECT count(*) FROM gone
