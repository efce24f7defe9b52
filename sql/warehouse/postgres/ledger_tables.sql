-- $1 names of tables. Of each, in the order given, its newest load that was not undone, the count of its open rejects, and whether
-- anything was undone since.
SELECT l.run_id, l.load_id, l.slice, l.scope, l.slice_from, l.slice_to, l.state, l.committed_at, l.result -> 'slice' ->> 'content_rows',
       (SELECT count(*) FROM loadstar.quarantine q WHERE q.table_name = t.name AND q.state = 'open'),
       EXISTS (SELECT FROM loadstar.slice_ledger u WHERE u.table_name = t.name AND u.state = 'undo' AND u.load_id > l.load_id)
  FROM unnest($1::text[]) WITH ORDINALITY AS t(name, place)
  LEFT JOIN LATERAL (SELECT * FROM loadstar.slice_ledger n
                      WHERE table_name = t.name AND state <> 'undo'
                        AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                                         WHERE u.table_name = t.name AND u.state = 'undo'
                                           AND (u.result ->> 'undoes')::bigint = n.load_id)
                      ORDER BY load_id DESC LIMIT 1) l ON true
 ORDER BY t.place
