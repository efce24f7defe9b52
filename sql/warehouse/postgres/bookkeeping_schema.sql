-- The schema of the bookkeeping.
CREATE SCHEMA IF NOT EXISTS loadstar
