-- $1 run id
-- Tells readers of lines that came without a change of the run.
WITH noted AS (
  INSERT INTO control.outbox (run_id, kind) VALUES ($1::uuid, 'log') RETURNING 1)
SELECT pg_notify('loadstar_outbox', '') FROM noted
