-- (no parameters)
-- Whether the chain of the audit log holds: its seals, the last entry they cover, the first of them that is not intact, and what
-- they do not cover yet. Reads the whole log.
WITH seals AS MATERIALIZED (SELECT last_id, intact FROM control.audit_verify),
  loose AS (SELECT a.at FROM control.audit a WHERE a.id > (SELECT coalesce(max(last_id), 0) FROM seals))
SELECT (SELECT count(*) FROM seals),
  (SELECT coalesce(max(last_id), 0) FROM seals),
  (SELECT min(last_id) FROM seals WHERE NOT intact),
  (SELECT count(*) FROM loose),
  (SELECT min(at) FROM loose)
