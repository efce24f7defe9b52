-- $1 table_name, $2 scope, $3 slice_from, $4 slice_to. The declaration by which the newest load of what the slice covers was made.
SELECT result ->> 'declaration' FROM loadstar.slice_ledger
 WHERE table_name = $1
   AND ($2 <> 'time' OR scope <> 'time' OR (slice_from < $4::timestamptz AND slice_to > $3::timestamptz))
 ORDER BY load_id DESC LIMIT 1
