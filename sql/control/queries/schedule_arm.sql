-- $1 pipeline, $2 rule, $3 decided until, $4 rule as seen or null, $5 decided until as seen or null
-- A new rule, or the same one from another time on; not when the row is no longer what was seen.
INSERT INTO control.schedule AS s (pipeline, rule, decided_until) VALUES ($1, $2, $3::timestamptz)
ON CONFLICT (pipeline) DO UPDATE SET rule = excluded.rule, decided_until = excluded.decided_until
  WHERE s.rule = $4::text AND s.decided_until = $5::timestamptz
