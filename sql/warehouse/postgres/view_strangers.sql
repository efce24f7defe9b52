-- $1 quoted name of a view, with its schema. What takes from everybody but its owner what default privileges gave.
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', $1::text,
                       CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
  FROM pg_class v, aclexplode(v.relacl) g
 WHERE v.oid = to_regclass($1::text) AND g.grantee <> v.relowner
