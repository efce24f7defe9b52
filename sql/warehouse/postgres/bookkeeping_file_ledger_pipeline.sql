-- Readers ask by pipeline, newest last.
CREATE INDEX IF NOT EXISTS file_ledger_pipeline ON loadstar.file_ledger (pipeline, load_id, file_id)
