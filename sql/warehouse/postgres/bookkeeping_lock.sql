-- CREATE … IF NOT EXISTS is no protection from another session that creates the same at the same time.
SELECT pg_advisory_xact_lock(hashtextextended('loadstar:ddl', 0))
