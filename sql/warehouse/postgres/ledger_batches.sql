-- $1 table_name, $2 from, $3 to. Each batch of files, those without one together: how its files ended, and the newest load of one. What
-- no later load of the file stands for, and was superseded nevertheless, was undone: the table does not hold it.
SELECT n.batch, n.batch_at, n.files, n.failed, n.rows, n.load_id, l.run_id, l.committed_at, l.spec_hash, l.result ->> 'declaration'
  FROM (SELECT batch, min(batch_at) AS batch_at, count(*) AS files, count(*) FILTER (WHERE state = 'failed') AS failed,
               sum(rows) FILTER (WHERE state = 'loaded') AS rows, max(load_id) FILTER (WHERE state = 'loaded') AS load_id
          FROM (SELECT DISTINCT ON (file_id) * FROM loadstar.file_ledger
                 WHERE table_name = $1 AND state <> 'superseded' ORDER BY file_id, load_id DESC) newest
         WHERE batch_at IS NULL OR (batch_at >= $2::timestamptz AND batch_at < $3::timestamptz)
         GROUP BY batch) n
  LEFT JOIN loadstar.slice_ledger l ON l.table_name = $1 AND l.load_id = n.load_id
 ORDER BY n.batch_at NULLS FIRST, n.batch
