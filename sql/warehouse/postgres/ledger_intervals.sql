-- $1 table_name, $2 from, $3 to. Committed loads that touch the interval, newest first; of one slice only its newest.
SELECT slice_from, slice_to, state, load_id, run_id, committed_at, spec_hash, result ->> 'declaration', result -> 'slice' ->> 'content_rows'
  FROM (SELECT DISTINCT ON (slice) slice_from, slice_to, state, load_id, run_id, committed_at, spec_hash, result
          FROM loadstar.slice_ledger
         WHERE table_name = $1 AND scope IN ('table', 'time')
           AND slice_from < $3::timestamptz AND slice_to > $2::timestamptz
         ORDER BY slice, load_id DESC) newest
 ORDER BY load_id DESC
