-- $1 schema, $2 names of tables. Those that are there.
SELECT name FROM unnest($2::text[]) AS name WHERE to_regclass(format('%I.%I', $1::text, name)) IS NOT NULL
