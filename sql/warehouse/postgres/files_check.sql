-- $1 table_name. Files that were loaded by somebody else since they were looked at, with other content: none may be. Under the
-- table's lock.
SELECT count(*), min(f.path)
  FROM loadstar_files f
  JOIN LATERAL (SELECT l.load_id, l.etag, l.state FROM loadstar.file_ledger l
                 WHERE l.table_name = $1 AND l.file_id = f.file_id ORDER BY l.load_id DESC LIMIT 1) last ON true
 WHERE last.load_id IS DISTINCT FROM f.seen AND last.etag <> f.etag AND last.state <> 'failed'
