-- $1 how many at most
-- Seals before that of the begin of the audit log.
WITH gone AS (
  DELETE FROM control.audit_seal
  WHERE last_id = ANY (ARRAY (
    SELECT last_id FROM control.audit_seal WHERE last_id < control.audit_begin() ORDER BY last_id LIMIT $1::bigint))
  RETURNING 1)
SELECT count(*) FROM gone
