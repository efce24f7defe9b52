-- $1 table_name
SELECT pg_advisory_xact_lock(hashtextextended('loadstar:' || $1, 0))
