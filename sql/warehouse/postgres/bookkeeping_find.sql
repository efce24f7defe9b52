-- Is there a ledger?
SELECT to_regclass('loadstar.slice_ledger') IS NOT NULL AND to_regclass('loadstar.slice_fence') IS NOT NULL
