-- $1 table_name, $2 from, $3 to. Committed loads that touch the interval, newest first; of one slice only its newest.
SELECT slice_from, slice_to, state = 'open', committed_at, result ->> 'snapshot_at', result ->> 'source_content'
  FROM (SELECT DISTINCT ON (slice) slice_from, slice_to, state, committed_at, load_id, result
          FROM loadstar.slice_ledger
         WHERE table_name = $1 AND scope IN ('table', 'time')
           AND slice_from < $3::timestamptz AND slice_to > $2::timestamptz
         ORDER BY slice, load_id DESC) newest
 ORDER BY load_id DESC
