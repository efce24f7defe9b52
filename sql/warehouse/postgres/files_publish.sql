-- $1 table_name, $2 pipeline, $3 source, $4 run_id, $5 load_id
-- The files become this load's. One that could not be read is recorded as failed, and what is loaded of it stays.
WITH superseded AS (
    UPDATE loadstar.file_ledger l SET state = 'superseded', superseded_by = $5::bigint
      FROM loadstar_files f
     WHERE l.table_name = $1 AND l.file_id = f.file_id
       AND (l.state = 'failed' OR l.state = 'loaded' AND f.error IS NULL))
INSERT INTO loadstar.file_ledger (file_id, pipeline, source, table_name, path, identity, etag, size, batch, batch_at, state,
                                  arrived_at, load_id, run_id, rows, rejected, error)
SELECT f.file_id, $2, $3, $1, f.path, f.identity, f.etag, f.size, f.batch, f.batch_at,
       CASE WHEN f.error IS NULL THEN 'loaded' ELSE 'failed' END, f.arrived_at, $5::bigint, $4::uuid, f.rows, f.rejected, f.error
  FROM loadstar_files f
