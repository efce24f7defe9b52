-- Steps that load files: which ones, as planned, {"batch": …, "files": [{"path": …, "etag": …, "size": …}, …]}. Their span is empty:
-- files of one table may be read side by side, and the ledger of files in the warehouse keeps them apart.
ALTER TABLE control.step ADD COLUMN files json;
ALTER TABLE control.step DROP CONSTRAINT step_scope,
  ADD CONSTRAINT step_scope CHECK (scope IN ('table', 'time', 'key', 'files')),
  ADD CONSTRAINT step_files CHECK ((scope = 'files') = (files IS NOT NULL));
