-- $1 table_name, $2 slice. The session registered last.
SELECT backend_pid, backend_start FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice = $2 AND backend_pid IS NOT NULL
