-- $1 table_name, $2 from, $3 to. Loads that touch the interval and were not undone, newest first; of one slice only its newest.
SELECT slice_from, slice_to, state = 'open', committed_at, result ->> 'snapshot_at', result ->> 'source_content'
  FROM (SELECT DISTINCT ON (slice) slice_from, slice_to, state, committed_at, load_id, result
          FROM loadstar.slice_ledger l
         WHERE table_name = $1 AND scope IN ('table', 'time') AND state <> 'undo'
           AND slice_from < $3::timestamptz AND slice_to > $2::timestamptz
           AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                            WHERE u.table_name = $1 AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
         ORDER BY slice, load_id DESC) newest
 ORDER BY load_id DESC
