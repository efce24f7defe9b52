-- $1 pipeline, which need not be there yet
-- Who changes its active version goes alone, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('loadstar pipeline ' || $1, 0))
