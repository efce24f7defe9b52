-- $1 pipeline, $2 table_name, $3 slice, $4 run_id, $5 step_id, $6 load_id, $7 rejects, $8 reason, $9 file_ids
-- What an attempt refused before it failed. The last failure's stands for the slice, or for the files. A newer attempt has its own say.
WITH newer AS (SELECT FROM loadstar.slice_fence WHERE table_name = $2 AND slice = $3 AND load_id > $6::bigint),
older AS (
    DELETE FROM loadstar.quarantine
     WHERE table_name = $2 AND state = 'aborted' AND (slice = $3 OR file_id = ANY ($9::bigint[])) AND NOT EXISTS (SELECT FROM newer))
INSERT INTO loadstar.quarantine (pipeline, table_name, slice, run_id, step_id, load_id, file_id, file, line, column_name, rule,
                                 raw_text, row_time, state, reason)
SELECT $1, $2, $3, $4::uuid, $5::uuid, $6::bigint, r.file_id, r.file, r.line, r.column_name, r.rule, r.raw_text, r.row_time, 'aborted',
       $8
  FROM jsonb_to_recordset($7::jsonb) AS r(file_id bigint, file text, line bigint, column_name text, rule text, raw_text text,
                                          row_time timestamptz)
 WHERE NOT EXISTS (SELECT FROM newer)
