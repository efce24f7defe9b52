-- $1 schema, as an identifier
-- Where names in views stand for themselves, until the transaction ends.
SELECT set_config('search_path', $1, true)
