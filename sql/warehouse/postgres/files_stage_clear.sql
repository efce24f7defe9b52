-- What was said before of the slice's files.
DROP TABLE IF EXISTS pg_temp.loadstar_files
