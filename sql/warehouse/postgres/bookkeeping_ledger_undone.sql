-- Readers ask of each load whether it was undone. Once: a second undo of one load would take back what was loaded in its place.
DO $ddl$ BEGIN IF to_regclass('loadstar.slice_ledger_undone') IS NULL THEN
    CREATE UNIQUE INDEX slice_ledger_undone ON loadstar.slice_ledger (table_name, ((result ->> 'undoes')::bigint))
     WHERE state = 'undo';
END IF; END $ddl$
