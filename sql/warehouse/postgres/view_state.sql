-- $1 quoted name of a view, with its schema. A hash of what the server keeps of it and of the columns of all it is made of; no row: there
-- is no such view.
SELECT md5(pg_get_viewdef(v.oid) || COALESCE((
           SELECT string_agg(format('%s.%s %s', f.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)), ','
                             ORDER BY f.oid::regclass::text COLLATE "C", a.attnum)
             FROM (SELECT DISTINCT d.refobjid AS oid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    WHERE r.ev_class = v.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid) f
             JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped), ''))
  FROM pg_class v
 WHERE v.oid = to_regclass($1::text) AND v.relkind = 'v'
