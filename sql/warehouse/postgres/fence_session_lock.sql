-- $1 table_name, $2 slice, $3 step_id. The session this step registered last, held until it is replaced. Another step's
-- session is none of our business: its work goes on or is passed by, but is not ended.
SELECT backend_pid, backend_start FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice = $2 AND step_id = $3::uuid FOR UPDATE
