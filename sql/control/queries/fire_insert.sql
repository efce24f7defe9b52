-- $1 pipeline, $2 scheduled at, $3 reason it is skipped or null, $4 detail, $5 run id, $6 how many fires it stands for
-- No row: this time has fired before.
INSERT INTO control.fire (pipeline, scheduled_at, outcome, reason, detail, run_id, fires)
VALUES ($1, $2::timestamptz, CASE WHEN $3::text IS NULL THEN 'run' ELSE 'skipped' END, $3, $4, $5::uuid, $6::bigint)
ON CONFLICT (pipeline, scheduled_at) DO NOTHING
RETURNING 1
