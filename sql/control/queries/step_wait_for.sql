-- $1 step id, $2 boot id, $3 load number, $4 kind or null, $5 detail
-- Says for what a running step waits; since stays while the kind does.
UPDATE control.step SET waiting_for = CASE WHEN $4::text IS NOT NULL THEN json_build_object('kind', $4, 'detail', $5::text,
  'since', CASE WHEN waiting_for->>'kind' = $4 THEN waiting_for->>'since'
    ELSE to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END) END
WHERE id = $1::uuid AND boot_id = $2 AND load_number = $3::bigint AND status = 'running'
RETURNING id
