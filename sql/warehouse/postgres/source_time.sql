-- The source's own time, read before the extraction.
SELECT clock_timestamp()
