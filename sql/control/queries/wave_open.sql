-- $1 run id, $2 wave
UPDATE control.step SET status = 'queued', ready_at = now(), retry_at = now(), waiting_for = NULL
WHERE run_id = $1::uuid AND wave = $2::integer AND status = 'waiting'
