-- $1 names of tables, $2 slice_from, $3 slice_to, $4 load_id: of loads that failed. The places, from 1, of those that no newer load passed;
-- one that was undone did not.
SELECT f.place
  FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) WITH ORDINALITY AS f(name, slice_from, slice_to, load_id, place)
 WHERE NOT EXISTS (SELECT FROM loadstar.slice_ledger l
                    WHERE l.table_name = f.name AND l.load_id > f.load_id AND l.state <> 'undo'
                      AND (l.scope = 'files' OR (l.slice_from < f.slice_to AND l.slice_to > f.slice_from))
                      AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                                       WHERE u.table_name = f.name AND u.state = 'undo'
                                         AND (u.result ->> 'undoes')::bigint = l.load_id))
