-- $1 names of tables. The highest load_id registered for any of them; 0: none.
SELECT COALESCE(max(load_id), 0) FROM loadstar.slice_fence WHERE table_name = ANY ($1::text[])
