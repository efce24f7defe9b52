-- $1 names of tables. Sessions that are alive and registered a load of any of them.
SELECT DISTINCT a.pid, a.backend_start, a.application_name
  FROM loadstar.slice_fence f
  JOIN pg_stat_activity a ON a.pid = f.backend_pid AND a.backend_start = f.backend_start
 WHERE f.table_name = ANY ($1::text[]) AND a.pid <> pg_backend_pid()
