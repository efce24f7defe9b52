-- $1 table_name, $2 slice, $3 load_id, $4 scope, $5 slice_from, $6 slice_to. Must count 0: nobody newer for the same rows. Files keep
-- themselves apart by their ledger.
SELECT count(*) FROM loadstar.slice_fence
 WHERE table_name = $1 AND slice <> $2 AND load_id > $3
   AND (scope = 'table' OR $4 = 'table'
        OR (scope <> $4 AND scope <> 'files' AND $4 <> 'files')
        OR (scope = 'time' AND $4 = 'time' AND slice_from < $6::timestamptz AND slice_to > $5::timestamptz))
