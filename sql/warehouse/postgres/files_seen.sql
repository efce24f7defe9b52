-- $1 pipeline, $2 table_name, $3 identities. What the table has seen of them: place in $3, newest record's etag and state, and
-- whether any version is loaded; and whether rows of it wait for what they refer to. Files it never saw, or whose loads were undone,
-- give no row.
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT file_id FROM loadstar.quarantine
     WHERE table_name = $2 AND state = 'open' AND rule = 'lookup_missing')
SELECT a.place, last.etag, last.state, last.loaded, f.file_id IN (SELECT w.file_id FROM waiting w WHERE w.file_id IS NOT NULL)
  FROM unnest($3::text[]) WITH ORDINALITY AS a(identity, place)
  JOIN loadstar.file f ON f.pipeline = $1 AND f.identity = a.identity
 CROSS JOIN LATERAL (
       SELECT l.etag, l.state, bool_or(l.state = 'loaded') OVER () AS loaded
         FROM loadstar.file_ledger l
        WHERE l.table_name = $2 AND l.file_id = f.file_id AND l.state <> 'superseded'
        ORDER BY l.load_id DESC LIMIT 1) last
