-- $1 step_id
SELECT result, committed_at FROM loadstar.slice_ledger WHERE step_id = $1
