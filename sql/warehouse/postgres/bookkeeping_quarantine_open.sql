-- A load looks for the open ones of its table.
DO $ddl$ BEGIN IF to_regclass('loadstar.quarantine_open') IS NULL THEN
    CREATE INDEX quarantine_open ON loadstar.quarantine (table_name) WHERE state = 'open';
END IF; END $ddl$
