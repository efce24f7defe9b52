-- $1 the files as JSON
INSERT INTO loadstar_files
SELECT row_number() OVER (ORDER BY COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE "C"), f.file_id, f.path,
       f.identity, f.etag, f.size, f.batch, f.batch_at, f.arrived_at, f.seen, f.rows, f.rejected, f.error
  FROM jsonb_to_recordset($1::jsonb) AS f(file_id bigint, path text, identity text, etag text, size bigint, batch text,
       batch_at timestamptz, arrived_at timestamptz, seen bigint, rows bigint, rejected bigint, error text)
