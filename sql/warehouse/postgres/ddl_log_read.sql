-- $1 names of tables, with their schemas. Oldest first.
SELECT table_name, column_name,
       jsonb_build_object('at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'change', change,
         'before', before, 'after', after, 'run_id', run_id, 'step_id', step_id, 'version', spec_hash)
  FROM loadstar.ddl_log
 WHERE table_name = ANY ($1::text[])
 ORDER BY id
