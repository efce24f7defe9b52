-- What an earlier version made knows 'failed' where it is 'aborted' now.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint
                WHERE conrelid = 'loadstar.quarantine'::regclass AND conname = 'quarantine_state_check'
                  AND pg_get_constraintdef(oid) NOT LIKE '%aborted%') THEN
        ALTER TABLE loadstar.quarantine DROP CONSTRAINT quarantine_state_check;
        UPDATE loadstar.quarantine SET state = 'aborted' WHERE state = 'failed';
        ALTER TABLE loadstar.quarantine ADD CONSTRAINT quarantine_state_check
            CHECK (state IN ('open', 'superseded', 'aborted', 'replayed', 'closed'));
    END IF;
END $$
