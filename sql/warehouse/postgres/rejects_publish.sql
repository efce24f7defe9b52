-- $1 pipeline, $2 table_name, $3 slice, $4 run_id, $5 step_id, $6 load_id, $7 scope, $8 slice_from, $9 slice_to, $10 file_ids
-- The open rejects of what the slice covers become those of this load, as a difference: equal ones stay, others are superseded.
-- Two equal rows are two rejects.
WITH there AS MATERIALIZED (
    SELECT id, hash_record_extended(ROW(file_id, file, line, column_name, rule, raw_text), 0) AS content
      FROM loadstar.quarantine
     WHERE table_name = $2 AND state = 'open'
       AND CASE $7 WHEN 'table' THEN true
                   WHEN 'time' THEN COALESCE(row_time >= $8::timestamptz AND row_time < $9::timestamptz, slice = $3)
                   WHEN 'files' THEN file_id = ANY ($10::bigint[])
                   ELSE slice = $3 END),
there_placed AS (SELECT id, content, row_number() OVER (PARTITION BY content ORDER BY id) AS place FROM there),
here AS MATERIALIZED (
    SELECT r.*, hash_record_extended(ROW(file_id, file, line, column_name, rule, raw_text), 0) AS content
      FROM loadstar_rejects r),
here_placed AS (SELECT h.*, row_number() OVER (PARTITION BY content) AS place FROM here h),
superseded AS (
    UPDATE loadstar.quarantine q
       SET state = 'superseded', closed_by = $6, reason = 'the slice was loaded again without it'
      FROM there_placed t
      LEFT JOIN (SELECT content, count(*) AS n FROM here GROUP BY content) h ON h.content = t.content
     WHERE q.id = t.id AND t.place > COALESCE(h.n, 0)),
added AS (
    INSERT INTO loadstar.quarantine (pipeline, table_name, slice, run_id, step_id, load_id, file_id, file, line, column_name,
                                     rule, raw_text, row_time, state)
    SELECT $1, $2, $3, $4::uuid, $5::uuid, $6::bigint, h.file_id, h.file, h.line, h.column_name, h.rule, h.raw_text, h.row_time, 'open'
      FROM here_placed h
      LEFT JOIN (SELECT content, count(*) AS n FROM there GROUP BY content) t ON t.content = h.content
     WHERE h.place > COALESCE(t.n, 0)
     ORDER BY h.file_id, h.line)
SELECT count(*) FROM here
