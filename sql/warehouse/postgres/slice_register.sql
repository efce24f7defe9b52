-- $1 table_name, $2 slice, $3 scope, $4 slice_from, $5 slice_to, $6 load_id, $7 step_id
-- No row back: a higher registration is there. OPEN and REVOKE are this one statement.
INSERT INTO loadstar.slice_fence AS old
       (table_name, slice, scope, slice_from, slice_to, load_id, step_id, backend_pid, backend_start)
SELECT $1, $2, $3, $4::timestamptz, $5::timestamptz, $6::bigint, $7::uuid, a.pid, a.backend_start
  FROM pg_stat_activity a
 WHERE a.pid = pg_backend_pid()
ON CONFLICT (table_name, slice) DO UPDATE
   SET load_id = excluded.load_id, step_id = excluded.step_id,
       backend_pid = excluded.backend_pid, backend_start = excluded.backend_start
 WHERE old.load_id < excluded.load_id
RETURNING backend_pid, backend_start
