-- $1 table_name, $2 scope, $3 slice_from, $4 slice_to. The declaration by which the newest load of what the slice covers was made.
SELECT result ->> 'declaration' FROM loadstar.slice_ledger l
 WHERE table_name = $1 AND state <> 'undo'
   AND ($2 <> 'time' OR scope <> 'time' OR (slice_from < $4::timestamptz AND slice_to > $3::timestamptz))
   AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                    WHERE u.table_name = $1 AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
 ORDER BY load_id DESC LIMIT 1
