-- $1 pipeline
-- Looks for an equal run and its insertion are one step, per pipeline.
SELECT pg_advisory_xact_lock(hashtextextended('loadstar:accept:' || $1::text, 0))
