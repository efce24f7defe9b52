-- $1 quoted name of a table, with its schema. Its indexes: name, columns in order, whether it is the primary key.
SELECT c.relname, string_agg(a.attname, ', ' ORDER BY k.place), i.indisprimary
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = to_regclass($1::text)
 GROUP BY c.relname, i.indisprimary
