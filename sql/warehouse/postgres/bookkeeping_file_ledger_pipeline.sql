-- Readers ask by pipeline, newest last.
DO $ddl$ BEGIN IF to_regclass('loadstar.file_ledger_pipeline') IS NULL THEN
    CREATE INDEX file_ledger_pipeline ON loadstar.file_ledger (pipeline, load_id, file_id);
END IF; END $ddl$
