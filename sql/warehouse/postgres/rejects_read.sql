-- $1 at most so many
-- The rejects so far, to be kept when the slice is not published.
SELECT jsonb_agg(to_jsonb(r))
  FROM (SELECT file_id, file, line, column_name, rule, raw_text, row_time
          FROM loadstar_rejects ORDER BY file_id, line LIMIT $1::bigint) r
