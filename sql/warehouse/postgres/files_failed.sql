-- $1 table_name, $2 pipeline, $3 source, $4 run_id, $5 load_id, $6 error
-- After the rollback: the slice's files failed, unless somebody loaded them since.
WITH failed AS MATERIALIZED (
    SELECT f.* FROM loadstar_files f
     WHERE NOT EXISTS (SELECT FROM loadstar.file_ledger l
                        WHERE l.table_name = $1 AND l.file_id = f.file_id AND l.load_id >= $5::bigint)),
superseded AS (
    UPDATE loadstar.file_ledger l SET state = 'superseded', superseded_by = $5::bigint
      FROM failed f
     WHERE l.table_name = $1 AND l.file_id = f.file_id AND l.state = 'failed')
INSERT INTO loadstar.file_ledger (file_id, pipeline, source, table_name, path, identity, etag, size, batch, batch_at, state,
                                  arrived_at, load_id, run_id, error)
SELECT f.file_id, $2, $3, $1, f.path, f.identity, f.etag, f.size, f.batch, f.batch_at, 'failed', f.arrived_at, $5::bigint,
       $4::uuid, COALESCE(f.error, $6)
  FROM failed f
