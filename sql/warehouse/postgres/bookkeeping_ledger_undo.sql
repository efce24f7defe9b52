-- A ledger that was made before loads could be undone; it holds no undo then, and its readers need no more than that.
DO $ddl$ BEGIN IF EXISTS (
    SELECT FROM pg_constraint
     WHERE conrelid = 'loadstar.slice_ledger'::regclass AND conname = 'slice_ledger_state_check'
       AND strpos(pg_get_constraintdef(oid), 'undo') = 0) THEN
    ALTER TABLE loadstar.slice_ledger DROP CONSTRAINT slice_ledger_state_check,
        ADD CONSTRAINT slice_ledger_state_check CHECK (state IN ('loaded', 'open', 'undo'));
END IF; END $ddl$
