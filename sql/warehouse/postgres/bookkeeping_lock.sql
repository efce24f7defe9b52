-- CREATE … IF NOT EXISTS is no protection from another session that creates the same at the same time. And CREATE INDEX IF NOT EXISTS
-- locks the table against writers before it looks, until the end: with two of them, and a PUBLISH that writes both tables, that is a
-- deadlock. So each is looked for first.
SELECT pg_advisory_xact_lock(hashtextextended('loadstar:ddl', 0))
