-- $1 id, $2 tries as claimed, $3 state, $4 ms until the next try
-- No row: somebody else has claimed it meanwhile.
UPDATE control.notice SET state = $3, next_at = clock_timestamp() + $4::bigint * interval '1 ms',
  finished_at = CASE WHEN $3 <> 'pending' THEN clock_timestamp() END
WHERE id = $1::uuid AND tries = $2::integer AND state = 'pending'
RETURNING 1
