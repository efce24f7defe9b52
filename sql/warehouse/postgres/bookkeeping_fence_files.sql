-- A fence that was made before files could be slices.
DO $ddl$ BEGIN IF EXISTS (
    SELECT FROM pg_constraint
     WHERE conrelid = 'loadstar.slice_fence'::regclass AND conname = 'slice_fence_scope_check'
       AND strpos(pg_get_constraintdef(oid), 'files') = 0) THEN
    ALTER TABLE loadstar.slice_fence DROP CONSTRAINT slice_fence_scope_check,
        ADD CONSTRAINT slice_fence_scope_check CHECK (scope IN ('table', 'time', 'key', 'files'));
END IF; END $ddl$
