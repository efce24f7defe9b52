-- $1 quoted name of a view, with its schema. What others than its owner may do with it, as statements; with the column, where it is one's.
SELECT g.attname, format('GRANT %s%s ON %s TO %s%s', g.privilege_type, ' (' || quote_ident(g.attname) || ')', $1::text,
                         CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                         CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_class v
 CROSS JOIN LATERAL (SELECT NULL::name AS attname, x.grantee, x.privilege_type, x.is_grantable FROM aclexplode(v.relacl) x
                     UNION ALL
                     SELECT a.attname, x.grantee, x.privilege_type, x.is_grantable
                       FROM pg_attribute a, aclexplode(a.attacl) x
                      WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped) g
 WHERE v.oid = to_regclass($1::text) AND g.grantee <> v.relowner
 ORDER BY 1 NULLS FIRST, 2
