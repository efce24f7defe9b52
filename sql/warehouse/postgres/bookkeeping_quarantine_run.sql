-- Readers ask by run, newest ids last.
CREATE INDEX IF NOT EXISTS quarantine_run ON loadstar.quarantine (run_id, id)
