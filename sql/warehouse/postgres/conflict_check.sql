-- $1 table_name, $2 slice, $3 load_id, $4 scope, $5 slice_from, $6 slice_to. Must count 0: nobody newer for the same rows.
SELECT count(*) FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice <> $2 AND load_id > $3
   AND (scope = 'table' OR $4 = 'table' OR scope <> $4
        OR (scope = 'time' AND slice_from < $6::timestamptz AND slice_to > $5::timestamptz))
