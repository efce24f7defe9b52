-- (no parameters)
-- One sweeper at a time, until its session ends.
SELECT pg_try_advisory_lock(hashtextextended('loadstar:sweep', 0))
