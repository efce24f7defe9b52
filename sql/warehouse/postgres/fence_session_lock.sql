-- $1 table_name, $2 slice. The session registered last, held until it is replaced.
SELECT backend_pid, backend_start FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice = $2 FOR UPDATE
