-- Readers ask by pipeline, newest ids last.
CREATE INDEX IF NOT EXISTS quarantine_pipeline ON loadstar.quarantine (pipeline, id)
