-- A load looks for the evidence its slice left.
DO $ddl$ BEGIN IF to_regclass('loadstar.quarantine_aborted') IS NULL THEN
    CREATE INDEX quarantine_aborted ON loadstar.quarantine (table_name) WHERE state = 'aborted';
END IF; END $ddl$
