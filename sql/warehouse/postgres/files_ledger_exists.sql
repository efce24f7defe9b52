-- Is there a ledger of files?
SELECT to_regclass('loadstar.file_ledger') IS NOT NULL
