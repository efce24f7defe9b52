-- $1 view_name. As it was applied last.
SELECT statement_hash, state FROM loadstar.view WHERE view_name = $1
