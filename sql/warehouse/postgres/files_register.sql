-- $1 pipeline, $2 identities. Gives those a file_id that have none.
INSERT INTO loadstar.file (pipeline, identity)
SELECT $1, a.identity FROM unnest($2::text[]) AS a(identity)
 WHERE NOT EXISTS (SELECT FROM loadstar.file f WHERE f.pipeline = $1 AND f.identity = a.identity)
 ORDER BY a.identity
ON CONFLICT DO NOTHING
