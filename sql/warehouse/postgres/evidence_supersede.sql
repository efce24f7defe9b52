-- $1 table_name, $2 slice, $3 load_id, $4 scope, $5 slice_from, $6 slice_to, $7 file_ids
-- The slice is published: what its failures left, and those of slices that lie in it, is of the past.
WITH rejects AS (
    UPDATE loadstar.quarantine
       SET state = 'superseded', closed_by = $3::bigint
     WHERE table_name = $1 AND state = 'aborted'
       AND CASE $4 WHEN 'table' THEN true
                   WHEN 'time' THEN COALESCE(row_time >= $5::timestamptz AND row_time < $6::timestamptz, slice = $2)
                   WHEN 'files' THEN file_id = ANY ($7::bigint[])
                   ELSE slice = $2 END)
UPDATE loadstar.slice_evidence
   SET state = 'superseded', closed_by = $3::bigint
 WHERE table_name = $1 AND state = 'aborted'
   AND CASE $4 WHEN 'table' THEN true
               WHEN 'time' THEN slice = $2 OR scope = 'time' AND slice_from >= $5::timestamptz AND slice_to <= $6::timestamptz
               WHEN 'files' THEN slice = $2 OR file_ids && $7::bigint[]
               ELSE slice = $2 END
