-- $1 pipeline, $2 table, $3 from, $4 to
-- Steps that load the table within the interval now, then those that failed to; newest first. A failed one counts until a newer load
-- is there, which the ledger knows.
SELECT s.id, s.run_id, s.status, s.slice_from, s.slice_to, s.load_number, s.started_at, s.error
FROM (
  SELECT *
  FROM control.step
  WHERE warehouse_table = $1 || '.' || $2 AND span && tstzrange($3, $4) AND status = 'running' AND end_as IS NULL
  UNION ALL
  SELECT *
  FROM control.step
  WHERE pipeline = $1 AND table_name = $2 AND status = 'failed' AND scope IN ('table', 'time')
    AND slice_from < $4::timestamptz AND slice_to > $3::timestamptz
) s
ORDER BY s.status = 'running' DESC, s.load_number DESC NULLS LAST
LIMIT 10000
