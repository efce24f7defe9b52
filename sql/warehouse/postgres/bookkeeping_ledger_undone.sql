-- Readers ask of each load whether it was undone. Once: a second undo of one load would take back what was loaded in its place.
CREATE UNIQUE INDEX IF NOT EXISTS slice_ledger_undone ON loadstar.slice_ledger (table_name, ((result ->> 'undoes')::bigint))
 WHERE state = 'undo'
