-- $1 table_name, $2 slice, $3 load_id. Must give a row. FOR SHARE: a REVOKE waits for this PUBLISH, or ends it.
SELECT 1 FROM loadstar.slice_fence WHERE table_name = $1 AND slice = $2 AND load_id = $3 FOR SHARE
