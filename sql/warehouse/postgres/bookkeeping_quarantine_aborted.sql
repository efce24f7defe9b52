-- A load looks for the evidence its slice left.
CREATE INDEX IF NOT EXISTS quarantine_aborted ON loadstar.quarantine (table_name) WHERE state = 'aborted'
