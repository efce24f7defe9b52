-- $1 run id, $2 wave
-- What decides how a run goes on once its wave is over. next_wave: null when none is left.
SELECT EXISTS (SELECT FROM control.step WHERE run_id = $1::uuid AND wave <= $2::integer
    AND status IN ('waiting', 'queued', 'running')) AS unfinished,
  (SELECT wave FROM control.step WHERE run_id = $1::uuid AND wave > $2::integer
    AND status IN ('waiting', 'queued', 'running') ORDER BY wave LIMIT 1) AS next_wave,
  EXISTS (SELECT FROM control.step WHERE run_id = $1::uuid AND status = 'failed') AS failed,
  EXISTS (SELECT FROM control.step WHERE run_id = $1::uuid AND status = 'failed' AND fail_run) AS stopped,
  (SELECT error FROM control.step WHERE run_id = $1::uuid AND status = 'failed' AND fail_run
    ORDER BY finished_at, id LIMIT 1) AS error
