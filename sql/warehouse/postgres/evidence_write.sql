-- $1 pipeline, $2 table_name, $3 slice, $4 run_id, $5 step_id, $6 load_id, $7 scope, $8 slice_from, $9 slice_to, $10 file_ids,
-- $11 code, $12 reason, $13 counts, $14 checks
-- Takes the place of what the slice left before, or, for files, of what a slice with one of them did. A newer attempt has its own say.
WITH newer AS (SELECT FROM loadstar.slice_fence WHERE table_name = $2 AND slice = $3 AND load_id > $6::bigint),
older AS (
    DELETE FROM loadstar.slice_evidence
     WHERE table_name = $2 AND slice <> $3 AND file_ids && $10::bigint[] AND NOT EXISTS (SELECT FROM newer))
INSERT INTO loadstar.slice_evidence (pipeline, table_name, slice, run_id, step_id, load_id, scope, slice_from, slice_to, file_ids, state,
                                     code, reason, counts, checks)
SELECT $1, $2, $3, $4::uuid, $5::uuid, $6::bigint, $7, $8::timestamptz, $9::timestamptz, $10::bigint[], 'aborted', $11, $12, $13::jsonb,
       $14::jsonb
 WHERE NOT EXISTS (SELECT FROM newer)
    ON CONFLICT (table_name, slice) DO UPDATE
   SET run_id = excluded.run_id, step_id = excluded.step_id, load_id = excluded.load_id, scope = excluded.scope,
       slice_from = excluded.slice_from, slice_to = excluded.slice_to, file_ids = excluded.file_ids, state = excluded.state,
       code = excluded.code, reason = excluded.reason, counts = excluded.counts, checks = excluded.checks, at = excluded.at,
       closed_by = NULL
