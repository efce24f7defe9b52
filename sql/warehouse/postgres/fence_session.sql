-- $1 table_name, $2 slice, $3 step_id. The session this step registered last, unless another step registered since.
SELECT backend_pid, backend_start FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice = $2 AND step_id = $3::uuid AND backend_pid IS NOT NULL
