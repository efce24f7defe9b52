-- A load looks for the open ones of its table.
CREATE INDEX IF NOT EXISTS quarantine_open ON loadstar.quarantine (table_name) WHERE state = 'open'
