-- Readers ask by pipeline, newest ids last.
DO $ddl$ BEGIN IF to_regclass('loadstar.quarantine_pipeline') IS NULL THEN
    CREATE INDEX quarantine_pipeline ON loadstar.quarantine (pipeline, id);
END IF; END $ddl$
