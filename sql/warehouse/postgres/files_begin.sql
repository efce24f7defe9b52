-- $1 pipeline, $2 table_name, $3 identities. In the order of $3: file_id, and the newest record of the table; NULL: none.
SELECT f.file_id, (SELECT max(l.load_id) FROM loadstar.file_ledger l WHERE l.table_name = $2 AND l.file_id = f.file_id)
  FROM unnest($3::text[]) WITH ORDINALITY AS a(identity, place)
  JOIN loadstar.file f ON f.pipeline = $1 AND f.identity = a.identity
 ORDER BY a.place
