-- $1 age in milliseconds
-- Lets the audit log begin later, a day at a time; a row when it does.
SELECT a.last_id, a.hash
FROM control.audit_move_anchor(date_trunc('day', now() - $1::bigint * interval '1 millisecond', 'UTC')) a
