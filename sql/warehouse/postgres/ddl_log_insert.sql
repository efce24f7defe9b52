-- $1 pipeline, $2 table_name, $3 column_name, $4 change, $5 before, $6 after, $7 run_id, $8 step_id, $9 spec_hash, $10 statement
INSERT INTO loadstar.ddl_log (pipeline, table_name, column_name, change, before, after, run_id, step_id, spec_hash, statement)
VALUES ($1, $2, $3, $4, $5, $6, $7::uuid, $8::uuid, $9, $10)
