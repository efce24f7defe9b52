-- $1 names of tables. Of each, in the order given, its newest load and the count of its open rejects.
SELECT l.run_id, l.load_id, l.slice, l.scope, l.slice_from, l.slice_to, l.state, l.committed_at, l.result -> 'slice' ->> 'content_rows',
       (SELECT count(*) FROM loadstar.quarantine q WHERE q.table_name = t.name AND q.state = 'open')
  FROM unnest($1::text[]) WITH ORDINALITY AS t(name, place)
  LEFT JOIN LATERAL (SELECT * FROM loadstar.slice_ledger WHERE table_name = t.name ORDER BY load_id DESC LIMIT 1) l ON true
 ORDER BY t.place
