-- $1 quoted name of a table, with its schema. Its columns in their order; no row: there is no such table.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '', col_description(a.attrelid, a.attnum)
  FROM pg_attribute a
 WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
