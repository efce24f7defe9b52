-- Readers ask by run, newest ids last.
DO $ddl$ BEGIN IF to_regclass('loadstar.quarantine_run') IS NULL THEN
    CREATE INDEX quarantine_run ON loadstar.quarantine (run_id, id);
END IF; END $ddl$
